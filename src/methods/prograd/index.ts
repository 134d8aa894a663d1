import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { checkTrainingSet } from '../../learning/batches.ts'
import { defaultEpochs } from '../../learning/schedule.ts'
import { POSITIONS } from '../../prompt/layout.ts'
import { contextClassifier, contextOf, USUAL_START } from '../context.ts'
import { defineMethod, type Task } from '../method.ts'
import { anyNumber, MAX_CONTEXT, MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { learnByRecipe } from '../paper-recipe.ts'
import { templatesSetting, withTemplates } from '../templates-setting.ts'
import { zeroShotFeatures } from '../zero-shot/features.ts'
import { expandTemplates, isByClass, type Templates } from '../zero-shot/templates.ts'
import { progradStep } from './program.ts'

const settings = z.strictObject({
  /** lambda: how much is taken away of a gradient's part that works against the hand-written prompts. */
  weight: anyNumber(0, MANY).default(1),
  /** T, which softens both predictions that the general direction compares. */
  temperature: anyNumber(0.01, 1000).default(1),
  /** Hand-written prompts instead of the data set's own; several are averaged. */
  templates: templatesSetting,
  /** Context vectors, more where `init` has more tokens. */
  M: wholeNumber(1, MAX_CONTEXT).default(16),
  position: z.enum(POSITIONS).default('end'),
  /** A separate context for each class, instead of one for all. */
  classSpecific: z.boolean().default(false),
  /** Words that the last context vectors start from, zeros before them; null: random vectors. Default: those of the prompt. */
  init: z.string().min(1).nullable().optional(),
  /** Default: CoOp's for that many shots. */
  epochs: wholeNumber(1, MAX_EPOCHS).optional(),
  batchSize: wholeNumber(1, MANY).default(32),
  learningRate: positiveNumber(MAX_RATE).default(0.002),
})
type Settings = z.output<typeof settings>

/** CoOp whose steps never go against what the hand-written prompts say. */
export const prograd = defineMethod({
  name: 'prograd',
  summary: 'learned context vectors, by steps that do not work against the hand-written prompts',
  source: 'Zhu et al., "Prompt-aligned Gradient for Prompt Tuning", ICCV 2023 (github.com/BeierZhu/Prompt-align)',
  pictures: 'views',
  costly: true,
  settings,
  title: ({ weight, temperature, position, classSpecific, M, init }) =>
    [
      'ProGrad',
      ...(weight === 1 ? [] : [`weight ${weight}`]),
      ...(temperature === 1 ? [] : [`temperature ${temperature}`]),
      ...(position === 'end' ? [] : [position]),
      ...(classSpecific ? ['class-specific'] : []),
      ...(M === 16 ? [] : [`M=${M}`]),
      ...(init === undefined ? [] : [init === null ? 'random start' : `from "${init}"`]),
    ].join(', '),
  transfers: ({ classSpecific }) => !classSpecific,
  check: (task, settings) => {
    startOf(task, settings)
  },

  async learn(task, settings, options) {
    const { clip, classNames, train } = task
    const epochs = settings.epochs ?? task.epochs ?? defaultEpochs(task.shots)
    const { ctx, layout } = startOf(task, settings)
    checkTrainingSet(train, classNames.length, clip.config.embedDim)
    const handWritten = await zeroShotFeatures(withTemplates(task, settings))
    const program = (batch: number) => progradStep(clip, layout, handWritten, settings, batch)
    return learnByRecipe(task, { ...settings, epochs }, { program, start: new Map([['ctx', ctx]]) }, options)
  },

  classifier: (classes, settings, learned) => contextClassifier(classes, settings, learned),
})

/** The prompts and the context that learning starts from. */
function startOf(task: Pick<Task, 'clip' | 'classNames' | 'templates' | 'seed'>, settings: Settings) {
  const { templates = task.templates, init = leadingWords(templates) } = settings
  return contextOf(task, { ...settings, init, padded: true })
}

/**
 * The words before the class name in the first hand-written prompt; "a photo of a" where it begins with the name, or each
 * class has prompts of its own.
 */
export function leadingWords(templates: Templates): string {
  const [template = ''] = isByClass(templates) ? [] : expandTemplates(templates)
  const [words = ''] = template.split('{}')
  return words.trim() || USUAL_START
}
