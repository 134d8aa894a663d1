import { defineCommand } from '../../cli/command.ts'
import { EVERY } from '../../cli/shared-options.ts'
import { columns } from '../../report/text.ts'

export const drawSamples = defineCommand({
  name: 'samples',
  summary: 'draw the pictures of samples/ again from the packages of drawings',
  operands: [],
  examples: ['npm run samples'],
  options: EVERY,
  async run(_settings, _operands, hooks) {
    const { makeSamples } = await import('../samples/make.ts')
    const tasks = await makeSamples(hooks)
    const rows = tasks.map(({ name, pictures, bytes }) => [name, `${pictures} pictures`, `${bytes} bytes`])
    return { json: { tasks }, text: columns(rows) }
  },
})
