import Fuzzing

fuzz(
  Target.arrays.merging(Target.weights) { $1 }.merging(Target.records) { $1 }.merging(Target.text) { $1 }
    .merging(Target.structure) { $1 })
