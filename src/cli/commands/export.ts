import { countOf } from '../../base/count.ts'
import { percent } from '../../report/text.ts'
import type { ExportResult } from '../../runs/export.ts'
import { defineCommand } from '../command.ts'
import { flags, oneOf, text, toggle } from '../options.ts'
import { COMPUTING, DATA, forceBeside, modelOfRun, PICTURES, runOperand, testShareOfRun } from '../shared-options.ts'

/** As EXPORT_FORMATS, which this file does not load. */
const FORMATS = ['onnx', 'onnx-int8', 'weights', 'transformers'] as const satisfies readonly ExportResult['format'][]

export const exportCommand = defineCommand({
  name: 'export',
  summary: 'write a run for other programs: ONNX, class weights, @huggingface/transformers',
  details:
    'onnx: one file, from pixels to logits and probabilities, for any ONNX runtime. onnx-int8: a quarter of its size. weights: ' +
    'the class weights alone (safetensors and npy), which coop-ts import reads. transformers: a folder for ' +
    "pipeline('image-classification', DIR). What rounded weights cost is measured on the test pictures of the run's data set.",
  operands: [runOperand],
  examples: [
    'coop-ts export runs/photos --format onnx --out exported',
    'coop-ts export runs/photos --format onnx-int8 --data photos --out exported-int8',
    'coop-ts export runs/photos --format transformers --float16 --out public/models/photos',
  ],
  options: {
    format: oneOf(FORMATS).register(flags, {
      flag: '--format',
      argument: 'NAME',
      help: `${FORMATS.slice(0, -1).join(', ')} or ${FORMATS.at(-1)}; required`,
    }),
    out: text('a folder').register(flags, { flag: '--out', argument: 'DIR', help: 'folder to write to; required' }),
    float16: toggle().register(flags, {
      flag: '--float16',
      help: 'weights in half precision, half the size (onnx, transformers); inputs and outputs stay float32',
    }),
    data: text('a data set').optional().register(flags, {
      flag: '--data',
      argument: 'DATA',
      help: 'data set to measure rounded weights on',
      otherwise: 'the one that the run was trained on, if it is there',
    }),
    testShare: testShareOfRun,
    model: modelOfRun,
    force: forceBeside,
    ...DATA,
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [run = ''], hooks) {
    const { exportRunAsGiven } = await import('../../runs/export.ts')
    const result = await exportRunAsGiven(run, settings, hooks)
    return { json: result, text: textOf(result) }
  },
})

function textOf({ out, classNames, files, loss }: ExportResult): string {
  const written = Object.entries(files).map(([name, bytes]) => `${name} (${sizeText(bytes)})`)
  return [
    `${countOf(classNames.length, 'class', 'classes')}, written to ${out}: ${written.join(', ')}`,
    ...(loss === undefined ? [] : [lossText(loss)]),
  ].join('\n')
}

const sizeText = (bytes: number) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`)

function lossText(loss: NonNullable<ExportResult['loss']>): string {
  if ('notMeasured' in loss) {
    return `what the rounded weights cost was not measured (${loss.notMeasured}): give pictures with --data`
  }
  const { pictures, accuracy, agreement, difference } = loss
  return (
    `on ${countOf(pictures, 'test picture')}: accuracy ${percent(accuracy.rounded)}, before rounding ${percent(accuracy.float32)}; ` +
    `the same answer for ${percent(agreement)}; probabilities differ by ${difference.toPrecision(2)} at most`
  )
}
