import Formats
import Foundation
import Fuzzing
import Metrics
import Model

@testable import Bench
@testable import Corpus
@testable import Training

/// Readers of stores and runs.
extension Target {
  nonisolated(unsafe) static let stores: [String: Target] = [
    "store-meta": Target(file: { _ = try StoreMeta(path: $0) }),
    "annotations": Target { bytes in
      guard let first = bytes.first else { return }
      let tasks = TextStoreTask.allCases
      try annotation(Array(bytes.dropFirst()), of: tasks[Int(first) % tasks.count])
    },
  ]

  private static func annotation(_ bytes: [UInt8], of task: TextStoreTask) throws {
    try Target(file: { path in
      let builder = TextStoreBuilder(task: task, annotation: path, output: "", tokenizer: "")
      try AnnotationFile(builder: builder).forEachRow { _, _ in }
    }).read(bytes)
  }

  nonisolated(unsafe) static let runs: [String: Target] = [
    "configuration": Target(file: { path in
      for task in [RunTask.tvr, .tvqa, .tvc, .pretrain] {
        let (run, _) = try RunConfiguration.load(task: task, file: path, arguments: [])
        if task == .pretrain { _ = try run.pretrainingTargets() }
      }
    }),
    "hyperparameters": Target(file: { _ = try RunConfiguration.read(hyperparameters: $0) }),
    "captions": Target(file: { _ = try CaptionRow.read(path: $0) }),
    "bench-history": Target(file: { _ = try BenchRecord.read(path: $0) }),
  ]
}
