import { z } from 'zod'
import { classifiedSchema, healthSchema, pageSchema, refusedSchema, runsSchema } from './answers.ts'
import type { RefusedStatus } from './refusal.ts'

const SCHEMAS = {
  Classified: classifiedSchema,
  Runs: runsSchema,
  PageRuns: pageSchema,
  Health: healthSchema,
  Refused: refusedSchema,
} as const

const REASONS: Readonly<Record<RefusedStatus, string>> = {
  400: 'The query, the JSON, the form or the base64 is not what it should be, or there is no picture.',
  401: 'The bearer token is missing or another one.',
  403: 'The Host header names another host than this one.',
  404: 'There is no such run, or no such address.',
  405: 'The address has other methods.',
  408: 'The request did not come in time.',
  413: 'The body is too large, a picture has too many pixels, or there are too many pictures.',
  415: 'The type of the body is not read.',
  422: 'A picture cannot be read; the message says which.',
  429: 'The queue is full: try again after Retry-After.',
  431: 'The headers are too large.',
  500: 'Something went wrong inside the server; its log says what.',
  503: 'There was no answer in time, or the server is stopping: try again after Retry-After.',
}

const json = (name: keyof typeof SCHEMAS) => ({
  'application/json': { schema: { $ref: `#/components/schemas/${name}` } },
})

const ok = (description: string, content: object) => ({ 200: { description, content } })

/** Every address may refuse in these ways. */
const ANYWHERE: readonly RefusedStatus[] = [400, 403, 405, 408, 431, 500]

const refused = (...statuses: readonly RefusedStatus[]) =>
  Object.fromEntries(
    [...new Set([...ANYWHERE, ...statuses])].map((status) => [
      status,
      { description: REASONS[status], content: json('Refused') },
    ]),
  )

const pathWord = (name: string, description: string) => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
})

const binary = { type: 'string', contentMediaType: 'application/octet-stream' }
const base64 = { type: 'string', contentEncoding: 'base64', description: 'Base64 of a picture, or a data URL.' }

/** The description of the server in OpenAPI 3.1. */
export function openApi(version: string, withToken: boolean) {
  const guarded = withToken ? { security: [{ token: [] }] } : {}
  const guard: readonly RefusedStatus[] = withToken ? [401] : []
  return {
    openapi: '3.1.0',
    info: {
      title: 'coop-ts serve',
      version,
      description: 'Classifies pictures with learned CLIP prompts.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    paths: {
      '/v1/classify': {
        post: {
          operationId: 'classify',
          summary: 'Classify pictures',
          parameters: [
            {
              name: 'run',
              in: 'query',
              description: 'Which run; needed where there are several.',
              schema: { type: 'string' },
            },
            {
              name: 'top',
              in: 'query',
              description: 'How many classes of each picture; default: all.',
              schema: { type: 'integer', minimum: 1 },
            },
          ],
          requestBody: {
            required: true,
            content: {
              'multipart/form-data': {
                schema: {
                  type: 'object',
                  required: ['image'],
                  properties: { image: { type: 'array', items: binary, minItems: 1 } },
                },
              },
              'application/json': {
                schema: {
                  type: 'object',
                  required: ['image'],
                  additionalProperties: false,
                  properties: { image: { anyOf: [base64, { type: 'array', items: base64, minItems: 1 }] } },
                },
              },
              'image/*': { schema: {} },
              'application/octet-stream': { schema: {} },
            },
          },
          responses: {
            ...ok('The classes of each picture.', json('Classified')),
            ...refused(...guard, 404, 413, 415, 422, 429, 503),
          },
          ...guarded,
        },
      },
      '/v1/runs': {
        get: {
          operationId: 'runs',
          summary: 'List the runs',
          responses: { ...ok('The runs.', json('Runs')), ...refused(...guard) },
          ...guarded,
        },
      },
      '/v1/runs/{name}/learned.safetensors': {
        get: {
          operationId: 'learned',
          summary: 'What a run learned',
          parameters: [pathWord('name', 'Name of a run.')],
          responses: {
            ...ok('A safetensors file, as coop-ts writes it.', { 'application/octet-stream': { schema: {} } }),
            ...refused(...guard, 404),
          },
          ...guarded,
        },
      },
      '/v1/runs/{name}/model/{file}': {
        get: {
          operationId: 'modelFile',
          summary: 'A file of the CLIP of a run',
          parameters: [pathWord('name', 'Name of a run.'), pathWord('file', 'Name of a file of its model.')],
          responses: {
            ...ok('The file.', { 'application/octet-stream': { schema: {} }, 'application/json': { schema: {} } }),
            ...refused(...guard, 404),
          },
          ...guarded,
        },
      },
      '/server.json': {
        get: {
          operationId: 'pageRuns',
          summary: 'What the page opens with',
          responses: { ...ok('The runs and their files.', json('PageRuns')), ...refused(...guard) },
          ...guarded,
        },
      },
      '/healthz': {
        get: {
          operationId: 'health',
          summary: 'Whether requests are taken',
          responses: {
            ...ok('They are.', json('Health')),
            503: { description: 'The server is stopping.', content: json('Health') },
            ...refused(),
          },
        },
      },
      '/metrics': {
        get: {
          operationId: 'metrics',
          summary: 'Counters in the text format of Prometheus',
          responses: { ...ok('Metrics.', { 'text/plain': { schema: { type: 'string' } } }), ...refused(...guard) },
          ...guarded,
        },
      },
      '/openapi.json': {
        get: {
          operationId: 'openApi',
          summary: 'This description',
          responses: { ...ok('OpenAPI 3.1.', { 'application/json': { schema: { type: 'object' } } }), ...refused() },
        },
      },
    },
    components: {
      schemas: Object.fromEntries(
        Object.entries(SCHEMAS).map(([name, schema]) => {
          const { $schema: _, ...rest } = z.toJSONSchema(schema)
          return [name, rest]
        }),
      ),
      ...(withToken ? { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } } : {}),
    },
  }
}
