import { z } from 'zod'
import { MAX_VIEWS } from '../../base/bounds.ts'
import { countOf } from '../../base/count.ts'
import { shotsText } from '../../data/fewshot.ts'
import { WARMUPS } from '../../learning/schedule.ts'
import { RECIPE_NAMES, RECIPES } from '../../methods/coop/recipes.ts'
import { PAPER_SETTINGS } from '../../methods/coop/train-prompt.ts'
import { DEFAULT_METHOD, impliedMethod, PAPER_METHOD } from '../../methods/default.ts'
import { type AnyMethod, METHOD_NAMES, methodNamed } from '../../methods/index.ts'
import { MAX_EPOCHS, MAX_RATE } from '../../methods/numbers.ts'
import { DEFAULT_VIEWS } from '../../pictures/views.ts'
import { POSITIONS } from '../../prompt/layout.ts'
import { columns, decisionLines, percent, took, worthText } from '../../report/text.ts'
import { templatesOf } from '../../runs/templates-file.ts'
import type { TrainResult } from '../../runs/train.ts'
import { defineCommand } from '../command.ts'
import { methodSettings, typedSettings } from '../method-settings.ts'
import { flags, innerShare, oneOf, positive, share, text, toggle, whole, wholeOr } from '../options.ts'
import {
  COMPUTING,
  DATA,
  dataOperand,
  exif,
  force,
  modelForPictures,
  PICTURES,
  precision,
  predictions,
  resume,
  seed,
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
    'Learns from up to N images of each class and measures accuracy on the test images that the data set marks. If it marks ' +
    'none, all pictures are learned from, and the accuracy is cross-validated: each picture is judged by a learner that had ' +
    'not seen it. A class with a single picture learns from it, and is not measured. --test-share F withholds a share of each ' +
    'class to test on instead. Pictures of no class in a folder _other/ beside the class folders are never learned: they ' +
    'decide below which probability an answer is "none of these".\n\n' +
    `Without --method, your own pictures are learned by ${DEFAULT_METHOD}, the paper's data sets by ${PAPER_METHOD}; flags of ${PAPER_METHOD}, such as ` +
    `--recipe or --context-length, mean ${PAPER_METHOD}.\n\n` +
    'Methods (--method). A method refuses flags for settings that it does not have:\n\n' +
    methodsText,
  operands: [dataOperand],
  examples: [
    'coop-ts train photos --out runs/photos',
    'coop-ts train photos --shots 16 --test-share 0.5 --out runs/photos-16',
    'coop-ts train photos --method coop --class-specific --seed 2 --out runs/photos-2',
    'coop-ts train photos --init "a photo of a" --template "a photo of a {}." --out runs/photos-3',
    'coop-ts train photos --out runs/photos --resume',
    'coop-ts train caltech101 --root data --shots 1',
    'coop-ts train hf:owner/name --shots 4',
    'coop-ts train photos --method linear-probe',
    'coop-ts train photos --method gda --template descriptions.json',
    'coop-ts train photos --method tip-adapter-f --shots 4 --set epochs=50 --set alpha=2',
  ],
  options: {
    method: text('the name of a method')
      .optional()
      .register(flags, {
        flag: '--method',
        argument: 'NAME',
        help: 'learning method; coop-ts methods lists them',
        otherwise: `${DEFAULT_METHOD}; ${PAPER_METHOD} for the paper's data sets and with its flags`,
        values: METHOD_NAMES,
      }),
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
    shots: wholeOr('all', 1).optional().register(flags, {
      flag: '--shots',
      argument: 'N',
      help: 'training images of each class at most (a class with fewer gives what it has), or all',
      otherwise: "all; 16 for the paper's data sets",
    }),
    testShare: share({ below1: true }).optional().register(flags, {
      flag: '--test-share',
      argument: 'F',
      help: 'share of each class to test on, if DATA does not mark test images; 0: learn from everything, measure nothing',
      otherwise: 'none: cross-validation',
    }),
    calibrate: toggle().register(flags, {
      flag: '--calibrate',
      help: "calibrate probabilities of a method that takes long (coop, cocoop, kgcoop) on the paper's data sets too: it is learned four times",
    }),
    sets: innerShare().optional().register(flags, {
      flag: '--sets',
      argument: 'C',
      help: 'keep label sets that hold the right class of a share C of pictures, such as 0.9; coop-ts classify shows them',
      otherwise: 'none are kept; what 0.9 comes to is measured',
    }),
    errorRate: innerShare().optional().register(flags, {
      flag: '--error-rate',
      argument: 'E',
      help: 'answer only so that a share E of answers is wrong at most, else "none of these"',
      otherwise: 'a threshold by the pictures in _other/, if there are any',
    }),
    seed,
    out: text('a folder').optional().register(flags, {
      flag: '--out',
      argument: 'RUN',
      help: 'folder to write the run to',
      otherwise: 'runs/<name of DATA>-<shots>-<seed>, with the method in the name if it is not the usual one',
    }),
    predictions,
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
      otherwise:
        '50 for 1 shot, 100 up to 4, 200 up to 16, above 3200 / shots (of all: their mean); 100 with the fast recipe',
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
    views: wholeOr('online', 0, MAX_VIEWS).default(DEFAULT_VIEWS).register(flags, {
      flag: '--views',
      argument: 'N',
      help: 'augmented views of each training image; 0: the image as it is; online: a new one for each epoch',
    }),
    transforms,
    exif,
    precision,
    resume,
    force,
    templates,
    model: modelForPictures,
    ...DATA,
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [data = ''], hooks, given, command) {
    const { findOfficialDataset } = await import('../../datasets/official/table.ts')
    const usual = findOfficialDataset(data) === undefined ? DEFAULT_METHOD : PAPER_METHOD
    const method = methodNamed(settings.method ?? impliedMethod(usual, typedSettings(given, settings.set), hooks))
    const templates = await templatesOf(settings.templates)
    const learning = await methodSettings(method, { ...settings, templates }, given)
    const { trainAsGiven } = await import('../../runs/train.ts')
    const asked = { method: method.name, settings: learning, templates, calibrate: settings.calibrate || undefined }
    const result = await trainAsGiven(data, { ...settings, ...asked, command }, hooks)
    return { json: result, text: textOf(result, method) }
  },
})

function textOf(result: TrainResult, { name, pictures }: AnyMethod): string {
  const { shots, classes, trained, tested = 0, accuracy, zeroShot, chance, interval, run, environment } = result
  const { measured, worth: trust } = result
  const what = name === 'coop' ? 'learned prompt' : result.title
  const few = shots === 0 ? '' : `, ${shotsText(shots)}`
  const table = columns([
    ...(chance == null ? [] : [['chance', percent(chance)]]),
    ['hand-written prompt', measuredText(zeroShot)],
    [`${what}${few}`, measuredText(accuracy)],
  ])
  const from = pictures === 'none' || trained === undefined ? '' : `, learned from ${countOf(trained, 'picture')}`
  const worth =
    chance != null && interval != null
      ? worthText({ tested, chance, interval, measured })
      : 'nothing was measured: no picture was kept for testing, and none judged by a learner that had not seen it'
  const steps = result.steps > 0 ? `${countOf(result.steps, 'step')} in ` : ''
  const how = result.before
    ? `finished before, on ${environment.date}; nothing to do: ${run}`
    : `${steps}${took(result.seconds)}, saved in ${run}`
  return [
    table,
    '',
    `${countOf(classes, 'class', 'classes')}${from}`,
    worth,
    ...(trust == null ? [] : trustLines(trust)),
    how,
    ...writtenText(result),
    `Try it: coop-ts classify ${run} IMAGE...`,
  ].join('\n')
}

/** Files that were asked for besides the run. */
export const writtenText = ({ written = [] }: { readonly written?: readonly string[] }): string[] =>
  written.length === 0 ? [] : [`predictions written to ${written.join(', ')}`]

function trustLines({ calibration, ...decisions }: NonNullable<TrainResult['worth']>): string[] {
  const { temperature, before, after } = calibration
  const [from, to] = [percent(before), percent(after)]
  return [
    `probabilities are off by ${to} on average (${from} before they were calibrated: temperature ${temperature.toPrecision(3)})`,
    ...decisionLines(decisions),
  ]
}

const measuredText = (accuracy: number | null) => (accuracy === null ? 'not measured' : percent(accuracy))
