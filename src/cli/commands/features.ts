import { countOf } from '../../base/count.ts'
import { FLOAT_TYPES } from '../../formats/half.ts'
import { defineCommand } from '../command.ts'
import { flags, oneOf, share, text } from '../options.ts'
import { COMPUTING, DATA, dataOperand, exif, model, PICTURES, precision, transforms } from '../shared-options.ts'

export const features = defineCommand({
  name: 'features',
  summary: 'write the image features of a data set into a file',
  details:
    'The ending of the file says its format. .safetensors keeps everything; .parquet has a list, .jsonl an array and .csv a column for ' +
    'each value, beside file, label and split of each picture; .npy is the array alone, with NAME.labels.csv beside it. Features are ' +
    'as the image tower gives them, not normalised. coop-ts train and others read such files as data sets, also those that ' +
    'another program wrote (docs/data.md). A folder of pictures without folders of classes has no labels.',
  operands: [dataOperand],
  examples: [
    'coop-ts features photos -o photos.safetensors',
    'coop-ts features photos --model openai/clip-vit-base-patch32 -o photos.parquet',
    'coop-ts train photos.safetensors --method linear-probe',
  ],
  options: {
    out: text('a file').register(flags, {
      flag: '--out',
      short: '-o',
      argument: 'FILE',
      help: 'file to write: .csv, .jsonl, .parquet, .npy or .safetensors',
    }),
    testShare: share().optional().register(flags, {
      flag: '--test-share',
      argument: 'F',
      help: 'share of each class that is marked for testing, if DATA does not mark test images',
      otherwise: '0.3',
    }),
    dtype: oneOf(FLOAT_TYPES).default('float32').register(flags, {
      flag: '--dtype',
      argument: 'TYPE',
      help: 'type of the values in the file: float32, or float16 (.npy, .safetensors), which takes half the room',
    }),
    transforms,
    exif,
    precision,
    model,
    ...DATA,
    ...PICTURES,
    ...COMPUTING,
  },
  async run({ out, dtype, ...settings }, [data = ''], hooks) {
    const { checkTableFile } = await import('../../node/table.ts')
    await checkTableFile(out, [data], dtype)
    const { featuresAsGiven, writeFeatures } = await import('../../runs/features.ts')
    const found = await featuresAsGiven(data, settings, hooks)
    const written = await writeFeatures(out, found, { dtype })
    const [pictures = 0, embed = 0] = found.features.shape
    const { classNames, model, compared: precision } = found
    const json = { pictures, embed, classes: classNames.length, model, precision, written }
    const of = classNames.length === 0 ? '' : ` of ${countOf(classNames.length, 'class', 'classes')}`
    return {
      json,
      text: `${countOf(pictures, 'picture')}${of}, ${embed} features each, written to ${written.join(', ')}`,
    }
  },
})
