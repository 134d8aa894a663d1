import { z } from 'zod'
import { MANY } from '../../base/bounds.ts'
import { defaultEpochs, WARMUPS } from '../../learning/schedule.ts'
import { POSITIONS } from '../../prompt/layout.ts'
import { contextClassifier, contextOf } from '../context.ts'
import { defineMethod } from '../method.ts'
import { MAX_CONTEXT, MAX_EPOCHS, MAX_RATE, positiveNumber, wholeNumber } from '../numbers.ts'
import { learnContext } from './learn.ts'
import { RECIPE_NAMES, RECIPES } from './recipes.ts'

/** Context vectors of the paper. */
const PAPER_M = 16

const settings = z
  .strictObject({
    /** Context vectors; with `init` as many as it has tokens. */
    M: wholeNumber(1, MAX_CONTEXT).default(PAPER_M),
    position: z.enum(POSITIONS).default('end'),
    /** A separate context for each class, instead of one for all. */
    classSpecific: z.boolean().default(false),
    /** Words to start from; null: random vectors. */
    init: z.string().min(1).nullable().default(null),
    /** Ids of tokens that stay before the class name; coop-ts import finds them in official checkpoints. */
    fixed: z.array(z.int().min(0)).optional(),
    /** How it is learned; the settings below default to what it says. */
    recipe: z.enum(RECIPE_NAMES).default('paper'),
    /** null: the paper's for that many shots. */
    epochs: wholeNumber(1, MAX_EPOCHS).nullable().optional(),
    /** The paper's epochs times this, where `epochs` is null: 0.25 for a first look at a quarter of the cost. */
    epochScale: positiveNumber(1000).default(1),
    /** null: all images at once. */
    batchSize: wholeNumber(1, MANY).nullable().optional(),
    learningRate: positiveNumber(MAX_RATE).optional(),
    warmup: z.enum(WARMUPS).optional(),
    warmupEpochs: wholeNumber(1, MAX_EPOCHS).optional(),
  })
  .transform((given) => {
    const { defaults } = RECIPES[given.recipe]
    const {
      epochs = defaults.epochs,
      batchSize = defaults.batchSize,
      learningRate = defaults.learningRate,
      warmup = defaults.warmup,
      warmupEpochs = defaults.warmupEpochs,
    } = given
    return { ...given, epochs, batchSize, learningRate, warmup, warmupEpochs }
  })
export type CoopSettings = z.output<typeof settings>

/** Prompt learning. */
export const coop = defineMethod({
  name: 'coop',
  summary: 'learned context vectors around the class names',
  source: 'Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022 (github.com/KaiyangZhou/CoOp)',
  pictures: 'views',
  costly: true,
  settings,
  title: ({ position, classSpecific, M, init, recipe, epochs, epochScale }) =>
    [
      `CoOp, ${position}`,
      ...(classSpecific ? ['class-specific'] : []),
      ...(init === null ? (M === PAPER_M ? [] : [`M=${M}`]) : [`from "${init}"`]),
      ...(recipe === 'paper' ? [] : [`${recipe} recipe`]),
      ...(epochs === null && epochScale !== 1 ? [`${epochScale} x the epochs`] : []),
    ].join(', '),
  transfers: ({ classSpecific }) => !classSpecific,
  check: (task, settings) => {
    contextOf(task, settings)
  },

  async learn(task, settings, options) {
    const epochs = settings.epochs ?? Math.ceil(settings.epochScale * (task.epochs ?? defaultEpochs(task.shots)))
    return learnContext(task, { ...settings, epochs }, options)
  },

  classifier: (classes, settings, learned) => contextClassifier(classes, settings, learned),
})
