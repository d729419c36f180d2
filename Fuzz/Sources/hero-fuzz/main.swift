import Fuzzing

fuzz(Target.stores.merging(Target.runs) { $1 }.merging(Target.videos) { $1 }.merging(Target.behind) { $1 })
