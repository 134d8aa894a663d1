import { tableText } from '../../report/text.ts'
import type { CheckedModel, ListedModel, ModelSizes } from '../../runs/models.ts'
import { defineCommand } from '../command.ts'
import { EVERY } from '../shared-options.ts'

export const models = defineCommand({
  name: 'models',
  summary: 'list the known CLIP models, or check whether a model can be used',
  details:
    'Without MODEL, lists what --model takes: maker, licence of the weights where it is known, megabytes to download, work a ' +
    'picture, how good each is without learning, image size. With MODEL, checks its configuration, the names and shapes of its ' +
    'tensors, and its tokenizer.',
  operands: [
    {
      name: 'model',
      help: 'fast, good, best, a folder, an OpenAI file (RN50.pt), or a model on the hub',
      optional: true,
    },
  ],
  examples: ['coop-ts models', 'coop-ts models RN50.pt', 'coop-ts models openai/clip-vit-base-patch16 --json'],
  options: EVERY,
  async run(_settings, [model], hooks) {
    const { checkModel, listModels } = await import('../../runs/models.ts')
    if (model === undefined) {
      const listed = await listModels()
      return { json: { models: listed }, text: listText(listed) }
    }
    const checked = await checkModel(model, hooks)
    return { json: checked, text: checkedText(checked) }
  },
})

const millions = ({ parameters }: ModelSizes) => (parameters / 1e6).toFixed(1)

function listText(models: readonly ListedModel[]): string {
  const rows = models.map((model) => ({
    cells: [
      model.id,
      model.word ?? model.file ?? '',
      model.architecture ?? 'small ResNet',
      model.maker,
      model.licence ?? '',
      model.scores === undefined ? 'none' : String(model.megabytes),
      model.gflop.toFixed(1),
      accuracy(model.scores?.mean38),
      accuracy(model.scores?.imageNet),
      String(model.imageSize),
    ],
  }))
  const head = ['--model', 'or', 'architecture', 'by', 'licence', 'MB', 'GFLOP', 'mean of 38', 'ImageNet', 'image']
  return `${tableText({ head, rows, words: 5 })}\n\n${NOTES}`
}

/** With the digits of the source. */
const accuracy = (share: number | undefined) => (share === undefined ? '' : (100 * share).toFixed(2))

const NOTES = `MB: to download once, the weights as float32; bundled comes with the package. GFLOP: work of the image tower for one picture.
mean of 38, ImageNet: zero-shot accuracy in %, the mean over DataComp's 38 data sets, from open_clip's docs/openclip_results.csv.
licence: of the weights, as their makers state it; empty where it was not found. Read it before you use them.`

function checkedText(model: CheckedModel): string {
  const { config, architecture, precision } = model
  const { text, vision } = config
  const blocks = ({ layers, width, heads }: typeof text) => `${layers} layers of width ${width}, ${heads} heads`
  const image =
    vision.kind === 'vit'
      ? `ViT, ${blocks({ ...text, ...vision })}, patches of ${vision.patchSize}`
      : `ModifiedResNet, ${vision.layers.join(' + ')} blocks of width ${vision.width}`
  return tableText({
    head: ['model', model.name],
    rows: [
      ['architecture', architecture ?? 'with sizes of its own'],
      ['layout', model.layout],
      ...(model.release === undefined ? [] : [['file', releaseText(model.release)]]),
      ['values', `${millions(model)} million, ${precision.join(' and ')}; ${model.megabytes} MB in memory`],
      ['work', `${model.gflop} GFLOP of the image tower for one picture`],
      ['image tower', `${image}, ${model.imageSize} pixels`],
      ['pictures', preprocessText(config.preprocess)],
      ['text tower', `${blocks(text)}, ${text.contextLength} tokens`],
      ['activation', model.activation],
      ['embedding', String(model.embedDim)],
      ['tokenizer', `${model.tokenizer}, ${model.vocabulary} tokens`],
    ].map((cells) => ({ cells })),
    words: 2,
  })
}

function preprocessText({ size, mean, std, resize }: CheckedModel['config']['preprocess']): string {
  const cut =
    resize === 'squash' ? `squashed to ${size} x ${size}` : `short side to ${size}, middle of ${size} x ${size}`
  const three = (values: readonly number[]) => values.map((value) => Number(value.toFixed(4))).join(' ')
  return `${cut}, mean ${three(mean)}, deviation ${three(std)}`
}

function releaseText(release: string): string {
  return release === 'other' ? "not one of OpenAI's, by its checksum" : `OpenAI's ${release}, by its checksum`
}
