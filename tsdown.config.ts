import { defineConfig, type UserConfig } from 'tsdown'

const shared: UserConfig = {
  root: 'src',
  platform: 'node',
  target: 'node20.19',
  tsconfig: 'tsconfig.build.json',
  fixedExtension: false,
  inputOptions: { checks: { pluginTimings: false } },
}

export default defineConfig([
  {
    ...shared,
    // one build for Node and pages: an export that nothing of a build uses is dropped, and both need the shared modules whole
    entry: [
      'src/public/index.ts',
      'src/public/node.ts',
      'src/graph/index.ts',
      'src/node/worker.js',
      'src/node/picture-worker.js',
      'src/datasets/parquet/parquet-worker.js',
      'src/public/web.ts',
      'src/web/worker.js',
      'src/web/worker-webgpu.js',
      'src/web/serve-onnx.js',
      'src/web/picture-worker.js',
    ],
    // a file for each module: a worker stays beside the code that starts it, and a stack names the source
    unbundle: true,
    // with src/ in the package, an editor goes from a name to its source
    dts: { sourcemap: true },
  },
  {
    ...shared,
    // the command in few files, workers beside them: four hundred modules take Node half a second longer to open
    entry: {
      'cli/main': 'src/cli/main.ts',
      'cli/worker': 'src/node/worker.js',
      'cli/picture-worker': 'src/node/picture-worker.js',
      'cli/parquet-worker': 'src/datasets/parquet/parquet-worker.js',
    },
    outputOptions: { chunkFileNames: 'cli/[name]-[hash].js' },
    // a hundred files; NOTICE names it
    deps: { alwaysBundle: ['zod'] },
    dts: false,
    clean: false,
  },
])
