import { defineConfig } from 'tsdown'

// one build for Node and pages: an export that nothing of a build uses is dropped, and both need the shared modules whole
export default defineConfig({
  root: 'src',
  platform: 'node',
  target: 'node20.19',
  tsconfig: 'tsconfig.build.json',
  fixedExtension: false,
  // a file for each module: a worker stays beside the code that starts it, and a stack names the source
  unbundle: true,
  // with src/ in the package, an editor goes from a name to its source
  dts: { sourcemap: true },
  inputOptions: { checks: { pluginTimings: false } },
  entry: [
    'src/public/index.ts',
    'src/public/node.ts',
    'src/graph/index.ts',
    'src/cli/main.ts',
    'src/node/worker.js',
    'src/node/picture-worker.js',
    'src/datasets/parquet/worker.js',
    'src/public/web.ts',
    'src/web/worker.js',
    'src/web/worker-webgpu.js',
    'src/web/serve-onnx.js',
    'src/web/picture-worker.js',
  ],
})
