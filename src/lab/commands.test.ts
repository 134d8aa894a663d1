import { expect, it } from 'vitest'
import { ended } from '../testing/coop.ts'
import { demo } from './commands/demo.ts'
import { pretrain } from './commands/pretrain.ts'

it.each([
  ['demo --shots 3', /--shots expects .*1, 2, 4, 8, 16/],
  ['demo --tasks nothing --quick', /there is no task nothing/],
  ['pretrain --hours 0', /--hours expects a number above 0/],
])('%s is refused with what is right', async (words, message) => {
  const { status, stderr } = await ended(words.split(' '), [demo, pretrain])
  expect(stderr).toMatch(message)
  expect(status).toBe(2)
})
