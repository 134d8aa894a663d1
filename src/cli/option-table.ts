import { z } from 'zod'
import { PAPER_WARMUP, WARMUPS } from '../learning/schedule.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { DEFAULT_TRANSFORMS, TRANSFORMS_NAMES } from '../pictures/transforms.ts'
import { DEFAULT_VIEWS } from '../pictures/views.ts'
import { flags, list, oneOf, positive, template, text, toggle, whole, wholeOr } from './option-kinds.ts'

/** The one table of options: a row gives type, default, flag and help; `SETTINGS` says which command takes which. */
export const OPTIONS = z.object({
  // every command
  json: toggle().register(flags, { flag: '--json', help: 'print the result as JSON on standard output, nothing else' }),
  quiet: toggle().register(flags, { flag: '--quiet', help: 'no progress and no warnings' }),
  verbose: toggle().register(flags, { flag: '--verbose', help: 'show the stack of an error' }),
  threads: whole(1, 1024)
    .optional()
    .register(flags, { flag: '--threads', argument: 'N', help: 'processor threads', otherwise: 'one for each core' }),
  device: oneOf('cpu', 'webgpu', 'cuda', 'auto')
    .default('cpu')
    .register(flags, { flag: '--device', argument: 'NAME', help: 'where to compute: cpu, webgpu, cuda or auto' }),

  // a CLIP and a folder of pictures
  model: text('a folder, or a model of the hub').optional().register(flags, {
    flag: '--model',
    argument: 'MODEL',
    help: 'CLIP: a folder in the Hugging Face or OpenCLIP layout, a file of OpenAI (RN50.pt), or owner/name[@revision] of the Hugging Face hub',
    otherwise: 'the bundled small CLIP',
  }),
  runModel: text('a folder, or a model of the hub').optional().register(flags, {
    flag: '--model',
    argument: 'MODEL',
    help: 'CLIP that the run was trained on, where it has moved: a folder, or owner/name[@revision] of the hub',
    otherwise: 'the one named in the run',
  }),
  cache: text('a folder')
    .default(defaultCacheDir())
    .register(flags, { flag: '--cache', argument: 'DIR', help: 'folder for what can be computed again' }),
  transforms: oneOf(...TRANSFORMS_NAMES)
    .default(DEFAULT_TRANSFORMS)
    .register(flags, {
      flag: '--transforms',
      argument: 'MONTH',
      help: 'how pictures are cut: 2021-10 (the official code today) or 2021-09 (before its change: squashed)',
    }),
  runTransforms: oneOf(...TRANSFORMS_NAMES)
    .optional()
    .register(flags, {
      flag: '--transforms',
      argument: 'MONTH',
      help: 'how pictures are cut: 2021-10 or 2021-09',
      otherwise: 'as the run has it',
    }),
  skipBadImages: toggle().register(flags, {
    flag: '--skip-bad-images',
    help: 'leave out images that cannot be read, with a warning each',
  }),
  template: z.array(template).optional().register(flags, {
    flag: '--template',
    argument: 'TEXT',
    repeat: true,
    help: 'hand-written prompt, {} for the class name, or an ensemble: imagenet7, imagenet80; given several times, the prompts are averaged',
    otherwise: 'that of the paper for its data sets, else "a photo of a {}."',
  }),

  // a data set
  root: text('a folder').optional().register(flags, {
    flag: '--root',
    argument: 'DIR',
    help: "folder above the paper's data sets",
    otherwise: '$COOP_DATA, or the current folder',
  }),
  imageColumn: text('a column').optional().register(flags, {
    flag: '--image-column',
    argument: 'NAME',
    help: 'column of a list or parquet file that has the images',
    otherwise: 'path, file, image... (docs/data.md)',
  }),
  labelColumn: text('a column').optional().register(flags, {
    flag: '--label-column',
    argument: 'NAME',
    help: 'column of a list or parquet file that has the labels',
    otherwise: 'label, class... (docs/data.md)',
  }),

  // learning
  method: text('the name of a method')
    .default('coop')
    .register(flags, { flag: '--method', argument: 'NAME', help: 'way to learn; coop methods lists them' }),
  set: z
    .array(text('KEY=VALUE').regex(/^[^=\s]+=.*\S/s, { error: 'KEY=VALUE' }))
    .optional()
    .register(flags, {
      flag: '--set',
      argument: 'KEY=VALUE',
      repeat: true,
      help: 'a setting of the method: a number, a word, true, false, null or a list, as in YAML; may be given several times',
      otherwise: "the method's own, see coop methods",
    }),
  shots: whole(1)
    .default(16)
    .register(flags, { flag: '--shots', argument: 'K', help: 'training images of each class' }),
  seed: whole(0, 2 ** 32 - 1)
    .default(1)
    .register(flags, { flag: '--seed', argument: 'S', help: 'seed of all that is drawn at random' }),
  out: text('a folder').optional().register(flags, {
    flag: '--out',
    argument: 'RUN',
    help: 'folder that the run is written to',
    otherwise: 'runs/<name of DATA>-<shots>-<seed>, with the method in its name where it is not coop',
  }),
  contextLength: whole(1, 75)
    .default(16)
    .register(flags, { flag: '--context-length', argument: 'M', help: 'number of learned context vectors' }),
  position: oneOf('end', 'middle', 'front').default('end').register(flags, {
    flag: '--position',
    argument: 'WHERE',
    help: 'class name at the end, in the middle or in front',
  }),
  classSpecific: toggle().register(flags, { flag: '--class-specific', help: 'a context of its own for each class' }),
  init: text('words such as "a photo of a"').optional().register(flags, {
    flag: '--init',
    argument: 'TEXT',
    help: 'start from these words; their number replaces --context-length',
    otherwise: 'random vectors',
  }),
  epochs: whole(1).optional().register(flags, {
    flag: '--epochs',
    argument: 'N',
    help: 'passes over the training images',
    otherwise: '50 for 1 shot, 100 up to 4, 200 above',
  }),
  lr: positive()
    .default(0.002)
    .register(flags, { flag: '--lr', argument: 'RATE', help: 'learning rate at its highest' }),
  batchSize: whole(1).default(32).register(flags, { flag: '--batch-size', argument: 'N', help: 'images in a step' }),
  warmup: oneOf(...WARMUPS)
    .default(PAPER_WARMUP.warmup)
    .register(flags, {
      flag: '--warmup',
      argument: 'HOW',
      help: 'learning rate of the first epochs: constant (1e-5), linear (rising to --lr) or none (--lr at once)',
    }),
  warmupEpochs: whole(1)
    .default(PAPER_WARMUP.warmupEpochs)
    .register(flags, { flag: '--warmup-epochs', argument: 'N', help: 'epochs of warm-up' }),
  views: wholeOr('online').default(DEFAULT_VIEWS).register(flags, {
    flag: '--views',
    argument: 'N',
    help: 'augmented views of each training image; 0: the image as it is; online: one drawn anew for each epoch',
  }),
  resume: toggle().register(flags, { flag: '--resume', help: 'go on from the last checkpoint of the run' }),
  force: toggle().register(flags, { flag: '--force', help: 'write over a run that is there already' }),

  // asking a classifier
  top: whole(1).default(5).register(flags, { flag: '--top', argument: 'N', help: 'labels shown for each image' }),
  transfer: toggle().register(flags, {
    flag: '--transfer',
    help: 'use the learned context with the class names of the data set, not those of the run',
  }),
  nearest: whole(1).default(1).register(flags, { flag: '--top', argument: 'N', help: 'words for each vector' }),
  allTokens: toggle().register(flags, {
    flag: '--all-tokens',
    help: "pieces of words and signs too, as the paper's table has them",
  }),

  // the demo
  quick: toggle().register(flags, { flag: '--quick', help: 'fewer tasks and one seed: two minutes on two cores' }),
  tasks: list(text('names of tasks'), 'names of tasks').optional().register(flags, {
    flag: '--tasks',
    argument: 'NAMES',
    help: 'tasks to run, such as sports,gestures',
    otherwise: 'all',
  }),
  shotsList: list(oneOf('1', '2', '4', '8', '16').transform(Number), 'some of 1, 2, 4, 8, 16')
    .optional()
    .register(flags, { flag: '--shots', argument: 'LIST', help: 'shots to learn from', otherwise: '1,2,4,8,16' }),
  seeds: list(whole(0, 2 ** 32 - 1), 'whole numbers of at least 0')
    .optional()
    .register(flags, {
      flag: '--seeds',
      argument: 'LIST',
      help: 'seeds of the runs',
      otherwise: '1,2,3; 1 with --quick',
    }),
  reportFile: text('a file')
    .default('coop-demo.html')
    .register(flags, { flag: '--out', argument: 'FILE.html', help: 'page that the table and figures are written to' }),

  figure: text('a file').optional().register(flags, {
    flag: '--figure',
    argument: 'FILE.svg',
    help: 'write the few-shot figure by itself as well',
    otherwise: 'not written',
  }),

  // a prompt of the official code
  importModel: text('a folder, a file of OpenAI, or a model of the hub').register(flags, {
    flag: '--model',
    argument: 'MODEL',
    help: 'CLIP that the prompt was learned on: RN50.pt, a folder, or owner/name[@revision] of the hub; must be given',
  }),
  importOut: text('a folder').register(flags, {
    flag: '--out',
    argument: 'RUN',
    help: 'folder that the run is written to; must be given',
  }),
  importPosition: oneOf('end', 'middle', 'front').optional().register(flags, {
    flag: '--position',
    argument: 'WHERE',
    help: 'where the class name stands: end, middle or front',
    otherwise: 'what the folders of FILE say',
  }),
  classes: text('a file').optional().register(flags, {
    flag: '--classes',
    argument: 'NAMES',
    help: 'file of class names, one a line or a JSON list',
    otherwise: 'those in FILE',
  }),
  data: text('a data set').optional().register(flags, {
    flag: '--data',
    argument: 'DATA',
    help: 'data set whose class names are meant',
    otherwise: 'those in FILE',
  }),

  // a sweep
  sweepOut: text('a folder').optional().register(flags, {
    flag: '--out',
    argument: 'DIR',
    help: 'folder of the runs',
    otherwise: 'runs/ and the name of the plan',
  }),
  dryRun: toggle().register(flags, {
    flag: '--dry-run',
    help: 'check the plan, its models and data sets, and run nothing',
  }),
  parallel: whole(1, 256).optional().register(flags, {
    flag: '--parallel',
    argument: 'N',
    help: 'runs at a time, which share the threads',
    otherwise: 'one for each thread with a small model, else one',
  }),

  // a report
  reportOut: text('a folder').optional().register(flags, {
    flag: '--out',
    argument: 'DIR',
    help: 'folder that the report is written to',
    otherwise: "the sweep's own; report where there are several",
  }),
  figures: toggle().register(flags, { flag: '--figures', help: 'write the figures as SVG files as well' }),
  published: toggle().register(flags, {
    flag: '--published',
    help: "show the paper's figures even where the setting is another; where it is the same they always are",
  }),
  tensorboard: text('a folder').optional().register(flags, {
    flag: '--tensorboard',
    argument: 'DIR',
    help: 'write an event file of each run for TensorBoard',
    otherwise: 'not written',
  }),
  skip: toggle().register(flags, { flag: '--skip', help: 'leave out damaged results, with a warning each' }),

  // training the bundled CLIP
  pretrainOut: text('a folder')
    .default('runs/pretrain')
    .register(flags, { flag: '--out', argument: 'RUN', help: 'folder for checkpoints, metrics and the trained model' }),
  steps: whole(1).optional().register(flags, {
    flag: '--steps',
    argument: 'N',
    help: 'steps of the whole schedule',
    otherwise: 'the recipe of the model card',
  }),
  hours: positive().optional().register(flags, {
    flag: '--hours',
    argument: 'H',
    help: 'stop after this time; --resume goes on',
    otherwise: 'no limit',
  }),
})
