import { accuracyTable } from '../../report/text.ts'
import { actions } from '../actions.ts'
import { DATA, defineCommand, RUN } from '../command.ts'

export const evaluate = defineCommand({
  name: 'evaluate',
  summary: 'accuracy of a trained run on a data set',
  details:
    'Counts test images only: those that the data set names, or where it does not, those that coop train leaves out ' +
    '(three of ten, always the same).',
  operands: [
    { name: 'run', help: RUN },
    { name: 'data', help: DATA },
  ],
  examples: [
    'coop evaluate runs/photos photos',
    'coop evaluate runs/photos other-photos.csv --json',
    'coop evaluate runs/plan/runs/photos-tip-adapter-4-shot-seed-1-0123456789 photos',
    'coop evaluate runs/caltech101-16-1 food101 --root data --transfer',
  ],
  async run(settings, [run = '', data = ''], hooks) {
    const result = await actions.evaluate(run, data, settings, hooks)
    return { json: result, text: accuracyTable(result) }
  },
})
