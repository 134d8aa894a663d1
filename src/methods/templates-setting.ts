import { z } from 'zod'
import { anObject, checkArguments } from '../base/arguments.ts'
import type { Classes } from './method.ts'
import { checkDescriptions } from './zero-shot/descriptions.ts'
import { isByClass, isTemplate, TEMPLATE_EXPECTED, type Templates } from './zero-shot/templates.ts'

/** `x` is short for `[x]`. */
const oneOrMore = (text: z.ZodString, error?: string) =>
  z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(text, { error }).min(1, { error }))

const aDescription = z.string().regex(/\S/, { error: 'a description that is not empty' })

/** Descriptions of classes: by the name of each a list of texts, or a single one. */
export const descriptionsSchema = z
  .record(z.string(), oneOrMore(aDescription, 'a list of at least one description'), {
    error: 'by the name of each class a list of descriptions',
  })
  .refine((given) => Object.keys(given).length > 0, { error: 'descriptions of at least one class' })

/** Hand-written prompts: a list or a single one, ensembles by name, such as `imagenet80`; or descriptions of each class. */
export const templatesSchema = z.union(
  [oneOrMore(z.string().refine(isTemplate, TEMPLATE_EXPECTED)), descriptionsSchema],
  {
    error: `${TEMPLATE_EXPECTED}; a list of these; or by the name of each class a list of descriptions`,
  },
)

/** Hand-written prompts instead of the data set's own. */
export const templatesSetting = templatesSchema.optional()

/** Classes with the templates of a method's settings, if there are any, instead of the data set's own. */
export function withTemplates<C extends Classes>(classes: C, settings: { readonly templates?: Templates }): C {
  checkArguments('withTemplates', { classes, settings }, { classes: anObject, settings: anObject })
  const { templates } = settings
  checkArguments('withTemplates', { templates }, { templates: templatesSetting })
  return templates === undefined ? classes : { ...classes, templates }
}

/**
 * Prompts that were given for these classes, if there are any.
 *
 * @throws UsageError for what is none, and for descriptions that are not of just these classes
 */
export function promptsFor(classNames: readonly string[], templates: Templates | undefined): Templates | undefined {
  checkArguments('prompts', { templates }, { templates: templatesSetting })
  const read = templatesSetting.parse(templates)
  if (read !== undefined && isByClass(read)) checkDescriptions(classNames, read)
  return read
}

/** The prompts that a run is compared with: those given, or those of its settings. Throws likewise. */
export function promptsOfRun(
  classNames: readonly string[],
  given: Templates | undefined,
  settings: Readonly<Record<string, unknown>>,
): Templates | undefined {
  // a method of one's own may call something else so
  const own = promptsFor(classNames, templatesSetting.safeParse(settings.templates).data)
  return promptsFor(classNames, given) ?? own
}
