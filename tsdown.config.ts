import { defineConfig, type UserConfig } from 'tsdown'

const common = {
  root: 'src',
  target: 'node20.19',
  fixedExtension: false,
  // a file for each module: a worker stays beside the code that starts it, and a stack names the source
  unbundle: true,
  // with src/ in the package, an editor goes from a name to its source
  dts: { sourcemap: true },
  inputOptions: { checks: { pluginTimings: false } },
} satisfies UserConfig

export default defineConfig([
  {
    ...common,
    platform: 'node',
    entry: [
      'src/public/index.ts',
      'src/public/node.ts',
      'src/graph/index.ts',
      'src/cli/main.ts',
      'src/node/worker.js',
      'src/datasets/parquet/worker.js',
    ],
  },
  {
    ...common,
    platform: 'browser',
    tsconfig: 'tsconfig.web.json',
    // what both builds have is the same
    clean: false,
    entry: [
      'src/public/web.ts',
      'src/web/worker.js',
      'src/web/worker-webgpu.js',
      'src/web/serve-onnx.js',
      'src/web/picture-worker.js',
    ],
  },
])
