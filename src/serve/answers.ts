import { z } from 'zod'

// The answers of the server, as they are sent and as /openapi.json describes them.

export const labelSchema = z
  .strictObject({
    label: z.string().meta({ description: 'Name of a class.' }),
    probability: z.number().min(0).max(1).meta({ description: 'From 0 to 1; over all classes they sum to 1.' }),
  })
  .meta({ description: 'A class and how probable it is.' })

export const classifiedSchema = z
  .strictObject({
    results: z
      .array(
        z.strictObject({
          labels: z.array(labelSchema).meta({ description: 'Most probable first.' }),
          none: z.literal(true).optional().meta({
            description: "It is none of the classes: the most probable is below the run's threshold.",
          }),
          set: z.array(z.string()).optional().meta({
            description: 'Of a run with label sets: the classes that it may be, most probable first.',
          }),
        }),
      )
      .meta({ description: 'One for each picture, in the order in which they were sent.' }),
  })
  .meta({ description: 'The classes of each picture.' })

export const runsSchema = z
  .strictObject({
    runs: z.array(
      z.strictObject({
        name: z.string().meta({ description: 'For the query run=NAME.' }),
        method: z.string(),
        classes: z.array(z.string()),
      }),
    ),
  })
  .meta({ description: 'The runs that can be asked.' })

/** What the page of the playground reads: addresses are relative to the page. */
export const pageSchema = z
  .strictObject({
    runs: z.array(
      z.strictObject({
        name: z.string(),
        classes: z.array(z.string()),
        learned: z.string().meta({ description: 'Address of learned.safetensors.' }),
        model: z.string().nullable().meta({
          description:
            "Address below which the files of its CLIP are; null: the model's file cannot be read by a page.",
        }),
      }),
    ),
  })
  .meta({ description: 'The runs that the page opens with, addresses relative to it.' })

export const healthSchema = z
  .strictObject({ status: z.enum(['ok', 'stopping']) })
  .meta({ description: 'Whether requests are taken.' })

export const refusedSchema = z
  .strictObject({
    error: z.strictObject({
      message: z.string().meta({ description: 'What is wrong, and with which picture or field.' }),
      remedy: z.string().optional().meta({ description: 'What to do about it.' }),
    }),
  })
  .meta({ description: 'Why a request was not answered as it was meant.' })

export type Classified = z.output<typeof classifiedSchema>
export type PageRuns = z.output<typeof pageSchema>
