import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: [
    'src/public/index.ts',
    'src/public/node.ts',
    'src/graph/index.ts',
    'src/cli/main.ts',
    'src/node/worker.js',
    'src/datasets/parquet/worker.js',
  ],
  root: 'src',
  platform: 'node',
  target: 'node20.19',
  fixedExtension: false,
  // a file for each module: a worker stays beside the code that starts it, and a stack names the source
  unbundle: true,
  // with src/ in the package, an editor goes from a name to its source
  dts: { sourcemap: true },
  inputOptions: { checks: { pluginTimings: false } },
})
