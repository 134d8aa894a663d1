import { z } from 'zod'
import { MAX_PARALLEL, MAX_SEED, MAX_THREADS } from '../base/bounds.ts'
import { PRECISIONS } from '../clip/precision.ts'
import { ENSEMBLES, isTemplate, TEMPLATE_EXPECTED } from '../methods/zero-shot/templates.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { EXIF_WAYS } from '../pictures/picture.ts'
import { DEFAULT_TRANSFORMS, TRANSFORMS_NAMES } from '../pictures/transforms.ts'
import { isTemplatesFile } from '../runs/templates-file.ts'
import { DEVICES } from '../runtime/types.ts'
import type { Operand } from './command.ts'
import { type Flag, flags, innerShare, oneOf, share, text, toggle, whole } from './options.ts'

// Options and operands shared by several commands; those of a single command are in its own file.

export const EVERY = {
  json: toggle().register(flags, { flag: '--json', help: 'print the result as JSON on standard output, nothing else' }),
  quiet: toggle().register(flags, { flag: '--quiet', help: 'no progress and no warnings' }),
  verbose: toggle().register(flags, { flag: '--verbose', help: 'show the stack trace of an error' }),
}

/** Of a command that computes. */
export const COMPUTING = {
  ...EVERY,
  threads: whole(1, MAX_THREADS)
    .optional()
    .register(flags, { flag: '--threads', argument: 'N', help: 'processor threads', otherwise: 'one per core' }),
  device: oneOf(DEVICES).default('cpu').register(flags, {
    flag: '--device',
    argument: 'NAME',
    help: 'where to compute: cpu, webgpu (any graphics card), cuda (NVIDIA), or auto, the first of them that is there',
  }),
}

const MODEL: Flag = {
  flag: '--model',
  argument: 'MODEL',
  help: 'CLIP: fast, good or best (coop-ts models), a folder in the Hugging Face or OpenCLIP layout, an OpenAI file (RN50.pt), or owner/name[@revision] on the Hugging Face hub',
  otherwise: 'the bundled small CLIP',
}
const aModel = () => text('a folder, or a model on the hub').optional()

export const model = aModel().register(flags, MODEL)

/** Of a command that sees the pictures before it takes a model. */
export const modelForPictures = aModel().register(flags, {
  ...MODEL,
  otherwise: 'the bundled small CLIP, which knows drawings; for photographs one from the cache, or a question',
})

export const modelOfRun = text('a folder, or a model on the hub').optional().register(flags, {
  flag: '--model',
  argument: 'MODEL',
  help: 'CLIP that the run was trained on, if it has moved: a folder, or owner/name[@revision] on the hub',
  otherwise: 'the one named in the run',
})

export const cache = text('a folder')
  .default(defaultCacheDir())
  .register(flags, { flag: '--cache', argument: 'DIR', help: 'cache folder; everything in it can be computed again' })

export const PICTURES = {
  cache,
  skipBadImages: toggle().register(flags, {
    flag: '--skip-bad-images',
    help: 'leave out pictures that cannot be read, with a warning for each',
  }),
}

export const exif = oneOf(EXIF_WAYS).optional().register(flags, {
  flag: '--exif',
  argument: 'WHAT',
  help: 'EXIF orientation of pictures, as phones write it: turn them as it says, or ignore it',
  otherwise: "turn; ignore for the paper's data sets",
})

export const exifOfRun = oneOf(EXIF_WAYS).optional().register(flags, {
  flag: '--exif',
  argument: 'WHAT',
  help: 'EXIF orientation of pictures: turn them as it says, or ignore it',
  otherwise: 'as in the run',
})

export const transforms = oneOf(TRANSFORMS_NAMES).default(DEFAULT_TRANSFORMS).register(flags, {
  flag: '--transforms',
  argument: 'MONTH',
  help: 'how pictures are preprocessed: 2021-10 (official code today) or 2021-09 (before its change: squashed)',
})

export const precision = oneOf(PRECISIONS).default('float32').register(flags, {
  flag: '--precision',
  argument: 'NAME',
  help: 'in what the image tower computes: float32, or int8, which is faster and says first what it loses on your pictures (docs/models.md)',
})

export const transformsOfRun = oneOf(TRANSFORMS_NAMES).optional().register(flags, {
  flag: '--transforms',
  argument: 'MONTH',
  help: 'how pictures are preprocessed: 2021-10 or 2021-09',
  otherwise: 'as in the run',
})

export const templates = z
  .array(
    text('a prompt').refine((word) => isTemplate(word) || isTemplatesFile(word), {
      error: `${TEMPLATE_EXPECTED}, or a .json or .yaml file with descriptions of each class`,
    }),
  )
  .optional()
  .register(flags, {
    flag: '--template',
    argument: 'TEXT',
    repeat: true,
    help: `hand-written prompt, {} for the class name, or an ensemble: ${Object.keys(ENSEMBLES).join(', ')}; if repeated, the prompts are averaged; or a .json or .yaml file with a list of descriptions for each class`,
    otherwise: `the paper's prompt for its data sets, otherwise "a photo of a {}."`,
  })

export const root = text('a folder').optional().register(flags, {
  flag: '--root',
  argument: 'DIR',
  help: "folder that contains the paper's data sets",
  otherwise: '$COOP_DATA, or the current folder',
})

export const parallel = whole(1, MAX_PARALLEL).optional().register(flags, {
  flag: '--parallel',
  argument: 'N',
  help: 'number of runs at the same time; they share the threads',
  otherwise: 'one per thread with a small model as far as memory goes, otherwise one',
})

const QUEUE: Flag = {
  flag: '--queue',
  argument: 'WHERE',
  help: 'Redis server of a queue: redis://HOST:PORT, a file that contains the address, or env for that in COOP_TS_QUEUE',
}

export const queueOfSweep = text('an address, a file or env')
  .optional()
  .register(flags, {
    ...QUEUE,
    help: `have the runs done by workers (coop-ts worker --queue). ${QUEUE.help}`,
    otherwise: 'this process does them',
  })

export const queueOfWorker = text('an address, a file or env')
  .optional()
  .register(flags, {
    ...QUEUE,
    help: `do the runs of all sweeps in a queue (docs/sweeps.md). ${QUEUE.help}`,
    otherwise: 'that in COOP_TS_QUEUE, if no folder is given',
  })

export const predictions = text('a file').optional().register(flags, {
  flag: '--predictions',
  argument: 'FILE',
  help: 'write class, answer, logits and probabilities of each picture; the ending says the format: .csv, .jsonl, .parquet, .npy or .safetensors',
  otherwise: 'not written',
})

/** How the word for a data set is understood. */
export const DATA = {
  root,
  imageColumn: text('a column').optional().register(flags, {
    flag: '--image-column',
    argument: 'NAME',
    help: 'column of a list or parquet file that contains the images',
    otherwise: 'path, file, image... (docs/data.md)',
  }),
  labelColumn: text('a column').optional().register(flags, {
    flag: '--label-column',
    argument: 'NAME',
    help: 'column of a list or parquet file that contains the labels',
    otherwise: 'label, class... (docs/data.md)',
  }),
}

/** Of commands that measure: which pictures are held out for it. */
export const testShareOfRun = share().optional().register(flags, {
  flag: '--test-share',
  argument: 'F',
  help: 'share of each class to test on, if DATA does not mark test images; 1: all pictures',
  otherwise: 'what the run left out, or 0.3',
})

/** What is made of the probabilities of a run. */
export const DECISIONS = {
  reject: share().optional().register(flags, {
    flag: '--reject',
    argument: 'P',
    help: 'answers less probable than P are "none of these"; 0: every picture gets an answer',
    otherwise: 'that of the run, from _other/ or --error-rate, or none',
  }),
  sets: innerShare().optional().register(flags, {
    flag: '--sets',
    argument: 'C',
    help: 'label sets that hold the right class of a share C of pictures, such as 0.9',
    otherwise: 'those of the run, if it was trained with --sets',
  }),
}

export const seed = whole(0, MAX_SEED)
  .default(1)
  .register(flags, { flag: '--seed', argument: 'S', help: 'seed for everything that is random' })

export const resume = toggle().register(flags, {
  flag: '--resume',
  help: 'continue from the last checkpoint of the run',
})
export const force = toggle().register(flags, {
  flag: '--force',
  help: 'overwrite an existing run, or write into a folder that holds other files, which stay',
})

export const forceBeside = toggle().register(flags, {
  flag: '--force',
  help: 'write into a folder that holds other files, which stay',
})

export const dataOperand: Operand = {
  name: 'data',
  help:
    'folder of pictures (a folder for each class, or train/, val/ and test/ with such folders), list (.csv, .tsv, .jsonl), ' +
    ".parquet file or folder of them, hf:owner/name on the Hugging Face hub, or one of the paper's data sets (caltech101...)",
}

export const runOperand: Operand = {
  name: 'run',
  help: 'run folder: from coop-ts train, from coop-ts import, or one of a sweep (OUT/runs/ID)',
}
