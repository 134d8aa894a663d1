;; The two passes of Pillow's resampling for 8-bit images (libImaging/Resample.c) with the four lanes of WebAssembly's SIMD.
;; `npm run kernels` makes resize-wasm.ts of this.
;;
;; A table has a record for each output pixel: the byte at which its first input pixel is (i32), how many there are (i32),
;; and as many weights in fixed point (i32 each) as the record with the most has.
(module
  (memory (export "memory") 1)

  ;; Rows of RGB: two at a time, which share the loads of a weight; a pixel's fourth byte is its right neighbour's first, and
  ;; is written anew by that. $rows is even, rows are $targetStride apart, three bytes and more than their pixels take.
  (func (export "horizontal")
    (param $source i32) (param $stride i32) (param $rows i32)
    (param $table i32) (param $record i32) (param $width i32)
    (param $target i32) (param $targetStride i32)
    (local $x i32) (local $entry i32) (local $out i32) (local $at i32) (local $weight i32) (local $end i32)
    (local $upper v128) (local $lower v128) (local $factor v128) (local $sums v128)
    (loop $row
      (local.set $x (local.get $width))
      (local.set $entry (local.get $table))
      (local.set $out (local.get $target))
      (loop $pixel
        (local.set $at (i32.add (local.get $source) (i32.load (local.get $entry))))
        (local.set $weight (i32.add (local.get $entry) (i32.const 8)))
        (local.set $end
          (i32.add (local.get $weight) (i32.shl (i32.load offset=4 (local.get $entry)) (i32.const 2))))
        (local.set $upper (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (local.set $lower (local.get $upper))
        (loop $tap
          (local.set $factor (v128.load32_splat (local.get $weight)))
          (local.set $upper
            (i32x4.add (local.get $upper)
              (i32x4.mul (local.get $factor)
                (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero (local.get $at)))))))
          (local.set $lower
            (i32x4.add (local.get $lower)
              (i32x4.mul (local.get $factor)
                (i32x4.extend_low_i16x8_u
                  (i16x8.extend_low_i8x16_u (v128.load32_zero (i32.add (local.get $at) (local.get $stride))))))))
          (local.set $at (i32.add (local.get $at) (i32.const 3)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        ;; four bytes of the upper row, then four of the lower one
        (local.set $sums
          (i16x8.narrow_i32x4_s
            (i32x4.shr_s (local.get $upper) (i32.const 22)) (i32x4.shr_s (local.get $lower) (i32.const 22))))
        (local.set $sums (i8x16.narrow_i16x8_u (local.get $sums) (local.get $sums)))
        (v128.store32_lane 0 (local.get $out) (local.get $sums))
        (v128.store32_lane 1 (i32.add (local.get $out) (local.get $targetStride)) (local.get $sums))
        (local.set $out (i32.add (local.get $out) (i32.const 3)))
        (local.set $entry (i32.add (local.get $entry) (local.get $record)))
        (local.set $x (i32.sub (local.get $x) (i32.const 1)))
        (br_if $pixel (local.get $x)))
      (local.set $source (i32.add (local.get $source) (i32.shl (local.get $stride) (i32.const 1))))
      (local.set $target (i32.add (local.get $target) (i32.shl (local.get $targetStride) (i32.const 1))))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 2)))
      (br_if $row (local.get $rows))))

  ;; Columns: a row is a line of bytes, sixteen at a time; what is written beyond its end is written anew with the next row.
  (func (export "vertical")
    (param $source i32) (param $stride i32)
    (param $table i32) (param $record i32) (param $height i32)
    (param $target i32)
    (local $i i32) (local $at i32) (local $weight i32) (local $end i32)
    (local $bytes v128) (local $factor v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (loop $row
      (local.set $end
        (i32.add
          (i32.add (local.get $table) (i32.const 8))
          (i32.shl (i32.load offset=4 (local.get $table)) (i32.const 2))))
      (local.set $i (i32.const 0))
      (loop $line
        (local.set $at (i32.add (i32.add (local.get $source) (i32.load (local.get $table))) (local.get $i)))
        (local.set $weight (i32.add (local.get $table) (i32.const 8)))
        (local.set $a (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (local.set $b (local.get $a))
        (local.set $c (local.get $a))
        (local.set $d (local.get $a))
        (loop $tap
          (local.set $bytes (v128.load (local.get $at)))
          (local.set $factor (v128.load32_splat (local.get $weight)))
          (local.set $a
            (i32x4.add (local.get $a)
              (i32x4.mul (local.get $factor)
                (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (local.get $bytes))))))
          (local.set $b
            (i32x4.add (local.get $b)
              (i32x4.mul (local.get $factor)
                (i32x4.extend_high_i16x8_u (i16x8.extend_low_i8x16_u (local.get $bytes))))))
          (local.set $c
            (i32x4.add (local.get $c)
              (i32x4.mul (local.get $factor)
                (i32x4.extend_low_i16x8_u (i16x8.extend_high_i8x16_u (local.get $bytes))))))
          (local.set $d
            (i32x4.add (local.get $d)
              (i32x4.mul (local.get $factor)
                (i32x4.extend_high_i16x8_u (i16x8.extend_high_i8x16_u (local.get $bytes))))))
          (local.set $at (i32.add (local.get $at) (local.get $stride)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        (v128.store
          (i32.add (local.get $target) (local.get $i))
          (i8x16.narrow_i16x8_u
            (i16x8.narrow_i32x4_s
              (i32x4.shr_s (local.get $a) (i32.const 22)) (i32x4.shr_s (local.get $b) (i32.const 22)))
            (i16x8.narrow_i32x4_s
              (i32x4.shr_s (local.get $c) (i32.const 22)) (i32x4.shr_s (local.get $d) (i32.const 22)))))
        (local.set $i (i32.add (local.get $i) (i32.const 16)))
        (br_if $line (i32.lt_u (local.get $i) (local.get $stride))))
      (local.set $target (i32.add (local.get $target) (local.get $stride)))
      (local.set $table (i32.add (local.get $table) (local.get $record)))
      (local.set $height (i32.sub (local.get $height) (i32.const 1)))
      (br_if $row (local.get $height)))))
