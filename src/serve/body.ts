import type { IncomingMessage } from 'node:http'
import { Busboy } from '@fastify/busboy'
import { z } from 'zod'
import type { SentPicture } from './batcher.ts'
import { checkLength, type Limits, type Room, tooMany } from './limits.ts'
import { quoted, Refusal } from './refusal.ts'

// Pictures out of the body of a request, counted while it arrives: what is too much is refused before it is in memory.

/** The field of a form, and the key of JSON, that has the pictures. */
const FIELD = 'image'
/** Fields of a form beside its pictures, which are passed over. */
const OTHER_FIELDS = 16

interface Reading extends Pick<Limits, 'bodyBytes' | 'pictures'> {
  readonly room: ReturnType<Room['enter']>
  /** Stops the reading of a body that is not all there. */
  readonly signal: AbortSignal
}

type Reader = (incoming: IncomingMessage, type: string, reading: Reading) => Promise<SentPicture[]>

/** Readers of bodies by their type. */
const READERS: readonly (readonly [RegExp, Reader])[] = [
  [/^multipart\/form-data$/, readForm],
  [/^application\/json$/, readJson],
  [/^(image\/.+|application\/octet-stream)$/, readRaw],
]

const KINDS =
  'send a form (multipart/form-data) with the field image, the bytes of a picture (image/* or application/octet-stream), or JSON {"image": base64} (application/json)'

/**
 * The pictures of a request.
 * @throws Refusal for a body of another type, too large, too slow (the signal's reason), malformed, or without a picture
 */
export async function readPictures(incoming: IncomingMessage, reading: Reading): Promise<SentPicture[]> {
  const { 'content-type': type = '', 'content-length': length, 'content-encoding': encoding } = incoming.headers
  const media = type.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const [, reader] = READERS.find(([pattern]) => pattern.test(media)) ?? []
  if (reader === undefined) {
    const what =
      media === '' ? 'the request does not say the type of its body' : `the type ${quoted(media)} is not read`
    throw new Refusal(415, what, KINDS)
  }
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Refusal(415, `the encoding ${quoted(encoding)} of the body is not read`, 'send it as it is')
  }
  checkLength(length, reading)
  const pictures = await reader(incoming, type, reading)
  if (pictures.length === 0) throw new Refusal(400, 'the request has no picture', KINDS)
  if (pictures.length > reading.pictures) throw tooMany('pictures', reading.pictures)
  return pictures
}

/** Hands each piece of a body to `take` until all of it has come. Throws what `take` throws, the signal's reason, or that the client left. */
function receive(incoming: IncomingMessage, { room, signal }: Reading, take: (piece: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onData = (piece: Buffer) => {
      try {
        room.take(piece.length)
        take(piece)
      } catch (cause) {
        end(() => reject(cause))
      }
    }
    const onEnd = () => end(resolve)
    const onClose = () => end(() => reject(new Refusal(400, 'the client left before all of the request had come')))
    const onStop = () => end(() => reject(signal.reason))
    const end = (settle: () => void) => {
      incoming.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose)
      // an error of a body that nobody waits for any more is nobody's
      incoming.on('error', () => undefined)
      signal.removeEventListener('abort', onStop)
      settle()
    }
    incoming.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose)
    signal.addEventListener('abort', onStop)
    if (signal.aborted) onStop()
  })
}

async function receiveAll(incoming: IncomingMessage, reading: Reading): Promise<Buffer> {
  const pieces: Buffer[] = []
  await receive(incoming, reading, (piece) => pieces.push(piece))
  const body = Buffer.concat(pieces)
  if (body.length === 0) throw new Refusal(400, 'the body of the request is empty', KINDS)
  return body
}

async function readRaw(incoming: IncomingMessage, _type: string, reading: Reading): Promise<SentPicture[]> {
  return [{ name: 'the picture', bytes: await receiveAll(incoming, reading) }]
}

async function readForm(incoming: IncomingMessage, type: string, reading: Reading): Promise<SentPicture[]> {
  const found: { readonly name: string; readonly pieces: Buffer[] }[] = []
  const form = openForm(type, reading)
  let fault: Refusal | undefined
  const refuse = (refusal: Refusal) => {
    fault ??= refusal
  }
  const over = new Promise<void>((resolve) => {
    form.once('finish', resolve)
    form.on('error', (cause: Error) => {
      refuse(new Refusal(400, `the form cannot be read: ${cause.message}`, KINDS))
      resolve()
    })
  })
  // a part may have no name
  form.on('file', (field: string | undefined, file, filename) => {
    if (field !== FIELD) {
      const place = field === undefined ? 'has no field' : `is in the field ${quoted(field)}`
      refuse(new Refusal(400, `a file ${place}`, `pictures go into the field ${FIELD}`))
    }
    const number = found.length + 1
    const pieces: Buffer[] = []
    found.push({ name: filename ? `picture ${number} (${quoted(filename)})` : `picture ${number}`, pieces })
    file.on('data', (piece: Buffer) => pieces.push(piece))
    file.on('error', () => undefined)
  })
  form.on('field', (field) => {
    if (field === FIELD)
      refuse(new Refusal(400, `the field ${FIELD} has text, not a file`, 'curl: -F image=@picture.jpg'))
  })
  form.on('filesLimit', () => refuse(tooMany('pictures', reading.pictures)))
  for (const limit of ['fieldsLimit', 'partsLimit'] as const)
    form.on(limit, () => refuse(tooMany('parts', reading.pictures)))
  await receive(incoming, reading, (piece) => {
    form.write(piece)
    if (fault !== undefined) throw fault
  })
  form.end()
  await over
  if (fault !== undefined) throw fault
  return found.map(({ name, pieces }) => ({ name, bytes: Buffer.concat(pieces) }))
}

function openForm(type: string, { pictures, bodyBytes }: Reading) {
  try {
    return new Busboy({
      headers: { 'content-type': type },
      // a Blob may have no file name
      isPartAFile: (_field, media, filename) =>
        filename !== undefined || media === 'application/octet-stream' || media?.startsWith('image/') === true,
      limits: {
        files: pictures,
        fields: OTHER_FIELDS,
        parts: pictures + OTHER_FIELDS,
        fileSize: bodyBytes,
        fieldSize: 1024,
        headerPairs: 32,
        headerSize: 8192,
      },
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Refusal(400, `the form cannot be read: ${reason}`, KINDS)
  }
}

const wanted = z.strictObject({ [FIELD]: z.union([z.string(), z.array(z.string())]) })

/** Brackets and, for each picture, commas that JSON of pictures has at most: base64 has none, a data URL a comma. */
const [BRACKETS, COMMAS] = [4, 2]

async function readJson(incoming: IncomingMessage, _type: string, reading: Reading): Promise<SentPicture[]> {
  const body = await receiveAll(incoming, reading)
  // millions of empty lists would keep the parser, and everybody else, busy for many seconds
  if (hasMore(body, '[', BRACKETS) || hasMore(body, '{', BRACKETS)) throw notWanted()
  if (hasMore(body, ',', COMMAS * reading.pictures + BRACKETS)) throw tooMany('pictures', reading.pictures)
  const { data, success } = wanted.safeParse(parse(body))
  if (!success) throw notWanted()
  const images = [data[FIELD] ?? []].flat()
  return images.map((text, i) => {
    const name = images.length === 1 ? 'the picture' : `picture ${i + 1}`
    return { name, bytes: bytesOf(text, name) }
  })
}

const notWanted = () =>
  new Refusal(
    400,
    'the JSON is not {"image": base64} or {"image": [base64, ...]}',
    'base64 of a picture, or a data URL',
  )

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new Refusal(400, 'the body is not valid JSON', KINDS)
  }
}

function hasMore(body: Buffer, sign: string, most: number): boolean {
  let at = -1
  for (let count = 0; count <= most; count++) {
    at = body.indexOf(sign, at + 1)
    if (at < 0) return false
  }
  return true
}

const BASE64 = /^[\w+/-]*={0,2}$/

/** Bytes of base64 (of RFC 4648, either alphabet, in lines or not), or of a data URL. Throws Refusal (400) for anything else. */
function bytesOf(text: string, name: string): Uint8Array {
  const [, encoded = text] = /^data:[^,]{0,200};base64,(.*)$/is.exec(text) ?? []
  const letters = encoded.replace(/\s+/g, '')
  if (letters === '' || letters.length % 4 === 1 || !BASE64.test(letters)) {
    throw new Refusal(400, `${name} is not base64`, 'encode the bytes of the file: base64 -w 0 picture.jpg')
  }
  return Buffer.from(letters, 'base64')
}
