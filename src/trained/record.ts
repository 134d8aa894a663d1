import { z } from 'zod'
import { shotsSchema } from '../data/fewshot.ts'
import { CLASS_SPLITS } from '../data/halves.ts'
import { CHOICES } from '../methods/index.ts'
import { TRANSFORMS_NAMES } from '../pictures/transforms.ts'
import { viewsSchema } from '../pictures/views.ts'
import { usedPrecisionSchema } from './precision.ts'
import { worthSchema } from './trust.ts'

/** Everything about one finished run: results.json of its folder. */
export const recordSchema = z.object({
  /** Name of its folder. */
  id: z.string(),
  dataset: z.string(),
  classes: z.int(),
  /** Which classes were learned from and tested on: all, or the first half of the sorted labels (`base`). */
  split: z.enum(CLASS_SPLITS),
  /** A row of METHODS, and its title for these settings. */
  method: z.string(),
  title: z.string(),
  /** Complete settings of the method. */
  settings: z.record(z.string(), z.unknown()),
  /** Of each class at most, or `all`; 0 for a method that learns from no images. */
  shots: z.union([z.literal(0), shotsSchema]),
  seed: z.int(),
  model: z.object({
    /** As the plan names it. */
    name: z.string(),
    fingerprint: z.string(),
    /** `RN50`, `ViT-B/16`..., or undefined if it is not a known one. */
    architecture: z.string().optional(),
  }),
  /** How pictures were prepared: `2021-10` (today's official code), `2021-09` (before its change of October 2021). */
  transforms: z.enum(TRANSFORMS_NAMES),
  /** Augmented views of each training image; 0: none. */
  views: viewsSchema,
  /** Where the image tower was asked to compute in int8: what that lost, and whether it was used. */
  precision: usedPrecisionSchema.optional(),
  /**
   * On what it was measured: test images; the images learned from, each by a learner of the same kind that had not seen it; or
   * nothing. Records of earlier versions lack it: they were measured on test images, if at all.
   */
  measured: z.enum(['test', 'cross-validated', 'nothing']).optional(),
  /** Fraction of 1 on these images; null where nothing was measured, as by coop-ts import. */
  accuracy: z.number().min(0).max(1).nullable(),
  /** Images learned from, and images that accuracy was measured on. Records of earlier versions lack these five. */
  trained: z.int().optional(),
  tested: z.int().optional(),
  /** Accuracy of always giving the class that most test images have; null where nothing was measured. */
  chance: z.number().nullable().optional(),
  /** Wilson's 95 % interval of the accuracy, for other test images of the same kind; null likewise. */
  interval: z.tuple([z.number(), z.number()]).nullable().optional(),
  /** Share of test images whose class is among the five most probable, and the mean of the classes' accuracies. Records of earlier versions lack these and what follows. */
  top5: z.number().nullable().optional(),
  meanPerClass: z.number().nullable().optional(),
  /** Accuracy of each class that has test images. */
  perClass: z.record(z.string(), z.number()).nullable().optional(),
  /** The names of rows and columns of `confusion`. */
  classNames: z.array(z.string()).optional(),
  /** How many test images of each class (row) were given each class (column). */
  confusion: z.array(z.array(z.int())).nullable().optional(),
  /** How the settings were chosen. */
  chosen: z.enum(CHOICES).optional(),
  /** Which pictures `train`, `val` and `test` are, and those of other data sets: how many, and a hash of content and labels. */
  data: z.record(z.string(), z.string()).optional(),
  /** The settings of its method in the plan, where the plan has others for its data set: reports put such runs into one line. */
  planned: z.record(z.string(), z.unknown()).optional(),
  /** What probabilities, label sets and a threshold for "none of these" are worth; null where no picture was judged for them. */
  worth: worthSchema.nullable().optional(),
  /** Accuracy of hand-written prompts on the same images. */
  zeroShot: z.number().min(0).max(1).nullable(),
  /** Accuracy elsewhere: `new` (the other half of the classes), or the name of a data set (domain shift, transfer). */
  elsewhere: z.record(z.string(), z.number().min(0).max(1)),
  /** What the method found on the way. */
  facts: z.record(z.string(), z.unknown()),
  /** Mean of the first tenth of the steps and of the last; null where no gradients are used. */
  loss: z.object({ first: z.number(), last: z.number() }).nullable(),
  /** The answers on the test images are right no more often than chance makes them. */
  collapsed: z.boolean(),
  steps: z.int(),
  /** Of learning and measuring, from encoded pictures on; time before a stop counts, the stop itself does not. */
  seconds: z.number(),
  environment: z.object({
    coop: z.string(),
    onnxruntime: z.string(),
    node: z.string(),
    platform: z.string(),
    cpu: z.string(),
    threads: z.int(),
    device: z.string(),
    /** ISO 8601, when the run ended. */
    date: z.string(),
    /** What was typed, a word each; the home folder is `~`. */
    command: z.array(z.string()).optional(),
  }),
})
/** What is kept of a finished run: its settings and its results. */
export type RunRecord = z.output<typeof recordSchema>

/** A run of a sweep, all of which are measured: what reports are made of, which need no table of every class. */
export const measuredSchema = recordSchema
  .omit({ confusion: true, perClass: true, classNames: true })
  .extend({ accuracy: z.number().min(0).max(1) })
/** A record of a run that was measured on test images. */
export type MeasuredRecord = z.output<typeof measuredSchema>
