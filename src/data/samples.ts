import { z } from 'zod'

/** The tasks of `samples/`, the one to begin with first. */
export const SAMPLE_TASKS = ['fantasy', 'sports', 'professions', 'style'] as const

/** `samples/index.json`: a picture lies at `NAME/train/CLASS/FILE` or `NAME/test/CLASS/FILE` beside it. */
export const samplesSchema = z.strictObject({
  tasks: z.array(
    z.strictObject({
      name: z.enum(SAMPLE_TASKS),
      title: z.string(),
      /** A sentence: what the pictures are, and what keeps train and test apart. */
      about: z.string(),
      /** The hand-written prompt; `{}` is the class name. */
      template: z.string(),
      classes: z.array(z.strictObject({ name: z.string(), train: z.array(z.string()), test: z.array(z.string()) })),
    }),
  ),
})

export type SampleTask = z.output<typeof samplesSchema>['tasks'][number]

/** The addresses of a task's pictures, relative to `samples/`. */
export const samplePaths = ({ name, classes }: Pick<SampleTask, 'name' | 'classes'>): string[] =>
  classes.flatMap((one) =>
    (['train', 'test'] as const).flatMap((part) => one[part].map((file) => `${name}/${part}/${one.name}/${file}`)),
  )
