import { z } from 'zod'
import { WARMUPS } from '../../learning/schedule.ts'
import { RECIPE_NAMES, RECIPES } from '../../methods/coop/recipes.ts'
import { PAPER_SETTINGS } from '../../methods/coop/train-prompt.ts'
import { methodNamed } from '../../methods/index.ts'
import { MAX_EPOCHS, MAX_RATE } from '../../methods/numbers.ts'
import { DEFAULT_VIEWS, MAX_VIEWS } from '../../pictures/views.ts'
import { POSITIONS } from '../../prompt/layout.ts'
import { columns, percent, took } from '../../report/text.ts'
import { defineCommand } from '../command.ts'
import { methodSettings } from '../method-settings.ts'
import { flags, oneOf, positive, text, toggle, whole, wholeOr } from '../options.ts'
import {
  COMPUTING,
  DATA,
  dataOperand,
  force,
  model,
  PICTURES,
  resume,
  seed,
  shots,
  templates,
  transforms,
} from '../shared-options.ts'
import { methodsText } from './methods.ts'

/** What a setting of CoOp is by default, in words. */
function byRecipe(setting: 'learningRate' | 'batchSize' | 'warmup' | 'warmupEpochs'): string {
  const of = (recipe: keyof typeof RECIPES) => RECIPES[recipe].defaults[setting] ?? 'all'
  return `${of('paper')}; ${of('fast')} with the fast recipe`
}

export const train = defineCommand({
  name: 'train',
  summary: 'learn a prompt, or use another method, from a few images of each class',
  details:
    'Learns from K images of each class and measures accuracy on the test images: those that the data set marks as test, or ' +
    'if it marks none, three in ten, which are held out of training.\n\n' +
    'Methods (--method). A method refuses flags for settings that it does not have:\n\n' +
    methodsText,
  operands: [dataOperand],
  examples: [
    'coop-ts train photos --shots 16 --out runs/photos',
    'coop-ts train photos --class-specific --seed 2 --out runs/photos-2',
    'coop-ts train photos --init "a photo of a" --template "a photo of a {}." --out runs/photos-3',
    'coop-ts train photos --out runs/photos --resume',
    'coop-ts train caltech101 --root data --shots 1',
    'coop-ts train hf:owner/name --shots 4',
    'coop-ts train photos --method linear-probe',
    'coop-ts train photos --method tip-adapter-f --shots 4 --set epochs=50 --set alpha=2',
  ],
  options: {
    method: text('the name of a method')
      .default('coop')
      .register(flags, { flag: '--method', argument: 'NAME', help: 'learning method; coop-ts methods lists them' }),
    set: z
      .array(text('KEY=VALUE').regex(/^[^=\s]+=.*\S/s, { error: 'KEY=VALUE' }))
      .optional()
      .register(flags, {
        flag: '--set',
        argument: 'KEY=VALUE',
        repeat: true,
        help: 'a setting of the method: a number, a word, true, false, null or a list, as in YAML; can be repeated',
        otherwise: "the method's own; see coop-ts methods",
      }),
    shots,
    seed,
    out: text('a folder').optional().register(flags, {
      flag: '--out',
      argument: 'RUN',
      help: 'folder to write the run to',
      otherwise: 'runs/<name of DATA>-<shots>-<seed>, with the method in the name if it is not coop',
    }),
    M: whole(1, 75)
      .default(PAPER_SETTINGS.M)
      .register(flags, { flag: '--context-length', argument: 'M', help: 'number of learned context vectors' }),
    position: oneOf(POSITIONS).default(PAPER_SETTINGS.position).register(flags, {
      flag: '--position',
      argument: 'WHERE',
      help: 'position of the class name: end, middle or front',
    }),
    classSpecific: toggle().register(flags, {
      flag: '--class-specific',
      help: 'learn a separate context for each class',
    }),
    init: text('words such as "a photo of a"').optional().register(flags, {
      flag: '--init',
      argument: 'TEXT',
      help: 'start from these words; they also set the context length',
      otherwise: 'random vectors',
    }),
    recipe: oneOf(RECIPE_NAMES).default('paper').register(flags, {
      flag: '--recipe',
      argument: 'NAME',
      help: 'how CoOp learns: paper, or fast (AdamW over all images at once, a hundred steps)',
    }),
    epochs: whole(1, MAX_EPOCHS).optional().register(flags, {
      flag: '--epochs',
      argument: 'N',
      help: 'passes over the training images',
      otherwise: '50 for 1 shot, 100 up to 4, 200 above; 100 with the fast recipe',
    }),
    learningRate: positive(MAX_RATE)
      .optional()
      .register(flags, {
        flag: '--lr',
        argument: 'RATE',
        help: 'peak learning rate',
        otherwise: byRecipe('learningRate'),
      }),
    batchSize: whole(1)
      .optional()
      .register(flags, {
        flag: '--batch-size',
        argument: 'N',
        help: 'images per step',
        otherwise: byRecipe('batchSize'),
      }),
    warmup: oneOf(WARMUPS)
      .optional()
      .register(flags, {
        flag: '--warmup',
        argument: 'HOW',
        help: 'learning rate during the first epochs: constant (1e-5), linear (rising to --lr) or none (--lr at once)',
        otherwise: byRecipe('warmup'),
      }),
    warmupEpochs: whole(1, MAX_EPOCHS)
      .optional()
      .register(flags, {
        flag: '--warmup-epochs',
        argument: 'N',
        help: 'epochs of warm-up',
        otherwise: byRecipe('warmupEpochs'),
      }),
    views: wholeOr('online', MAX_VIEWS).default(DEFAULT_VIEWS).register(flags, {
      flag: '--views',
      argument: 'N',
      help: 'augmented views of each training image; 0: the image as it is; online: a new one for each epoch',
    }),
    transforms,
    resume,
    force,
    templates,
    model,
    ...DATA,
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [data = ''], hooks, given) {
    const method = methodNamed(settings.method)
    const learning = methodSettings(method, settings, given)
    const { train } = await import('../../runs/train.ts')
    const result = await train(data, { ...settings, settings: learning }, hooks)
    const what = method.name === 'coop' ? 'learned prompt' : result.title
    const shots = method.pictures === 'none' ? '' : `, ${settings.shots} ${settings.shots === 1 ? 'shot' : 'shots'}`
    const table = columns([
      ['hand-written prompt', percent(result.zeroShot ?? Number.NaN)],
      [`${what}${shots}`, percent(result.accuracy ?? Number.NaN)],
    ])
    const steps = result.steps > 0 ? `${result.steps} steps in ` : ''
    const next = `Try it: coop-ts classify ${result.run} IMAGE...`
    return { json: result, text: `${table}\n\n${steps}${took(result.seconds)}, saved in ${result.run}\n${next}` }
  },
})
