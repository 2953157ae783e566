;; One AdamW update of `vectors` times four float32, at least one, in place. Every operation rounds to float32, in the
;; order of the composed update, so that both give the same bits:
;;   m = b1 m + (1 - b1) g    v = b2 v + (1 - b2) g g    p = decay p - stepSize (m / (sqrt(v) + epsilon))
;; Addresses are in bytes.
(module
  (import "host" "memory" (memory 0))
  (func (export "adamw")
    (param $p i32) (param $m i32) (param $v i32) (param $g i32) (param $vectors i32)
    (param $stepSize f32) (param $epsilon f32) (param $decay f32)
    (param $oldMean f32) (param $newMean f32) (param $oldSquare f32) (param $newSquare f32)
    (local $steps v128) (local $epsilons v128) (local $decays v128)
    (local $oldMeans v128) (local $newMeans v128) (local $oldSquares v128) (local $newSquares v128)
    (local $gradient v128) (local $mean v128) (local $square v128)
    (local.set $steps (f32x4.splat (local.get $stepSize)))
    (local.set $epsilons (f32x4.splat (local.get $epsilon)))
    (local.set $decays (f32x4.splat (local.get $decay)))
    (local.set $oldMeans (f32x4.splat (local.get $oldMean)))
    (local.set $newMeans (f32x4.splat (local.get $newMean)))
    (local.set $oldSquares (f32x4.splat (local.get $oldSquare)))
    (local.set $newSquares (f32x4.splat (local.get $newSquare)))
    (loop $next
      (local.set $gradient (v128.load (local.get $g)))
      (local.set $mean
        (f32x4.add
          (f32x4.mul (v128.load (local.get $m)) (local.get $oldMeans))
          (f32x4.mul (local.get $gradient) (local.get $newMeans))))
      (local.set $square
        (f32x4.add
          (f32x4.mul (v128.load (local.get $v)) (local.get $oldSquares))
          (f32x4.mul (f32x4.mul (local.get $gradient) (local.get $gradient)) (local.get $newSquares))))
      (v128.store (local.get $m) (local.get $mean))
      (v128.store (local.get $v) (local.get $square))
      (v128.store (local.get $p)
        (f32x4.sub
          (f32x4.mul (v128.load (local.get $p)) (local.get $decays))
          (f32x4.mul
            (f32x4.div (local.get $mean) (f32x4.add (f32x4.sqrt (local.get $square)) (local.get $epsilons)))
            (local.get $steps))))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (local.set $m (i32.add (local.get $m) (i32.const 16)))
      (local.set $v (i32.add (local.get $v) (i32.const 16)))
      (local.set $g (i32.add (local.get $g) (i32.const 16)))
      (local.set $vectors (i32.sub (local.get $vectors) (i32.const 1)))
      (br_if $next (local.get $vectors)))))
