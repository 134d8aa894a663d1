/** Why bytes are no picture that can be read, in words that go on after the file's name. */
export class PictureFault extends Error {}

/** A picture that has more pixels than are wanted, which is known before it is decoded. */
export class TooManyPixels extends PictureFault {}
