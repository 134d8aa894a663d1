import { z } from 'zod'
import { defineMethod } from '../method.ts'
import { templatesSetting } from '../templates-setting.ts'
import { zeroShotClassifier } from './features.ts'
import { expandTemplates, isByClass } from './templates.ts'

/** Hand-written prompts: the data set's, or those given. Nothing is learned. */
export const zeroShot = defineMethod({
  name: 'zero-shot',
  summary: 'hand-written prompts, nothing learned',
  source: 'Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021',
  pictures: 'none',
  settings: z.strictObject({
    /** Instead of the data set's own; several are averaged. */
    templates: templatesSetting,
  }),
  title: ({ templates = [] }) => {
    if (isByClass(templates)) return 'zero-shot, descriptions of each class'
    const { length } = expandTemplates(templates)
    return length > 1 ? `zero-shot, ${length} prompts` : 'zero-shot'
  },
  transfers: () => true,
  learn: async () => ({ tensors: new Map(), facts: {}, steps: [] }),
  classifier: (classes, { templates }) => zeroShotClassifier({ ...classes, templates: templates ?? classes.templates }),
})
