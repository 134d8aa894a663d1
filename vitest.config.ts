import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take minutes, in the order in which they are begun: before all others, so that no processor waits for one at the end. */
const LONG = ['test/playground', 'src/runs/train', 'test/faults/faults', 'engines/engines', 'test/browser'].map(
  (name) => `${name}.test.ts`,
)

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const long = LONG.flatMap((name) => sorted.filter(({ moduleId }) => moduleId.endsWith(name)))
    return [...long, ...sorted.filter((file) => !long.includes(file))]
  }
}

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    sequence: { sequencer: LongFirst },
    testTimeout: 180_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
})
