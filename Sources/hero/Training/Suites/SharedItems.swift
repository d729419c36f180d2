import Corpus
import Formats
import Foundation
import Metrics
import Tasks

/// Items that a run trains on and measures itself by.
enum SharedItems {
  /// Lines to be told where what a run measures itself by has items that it trains on.
  /// - Parameter stores: those of the run.
  static func notes(of configuration: RunConfiguration, _ stores: OpenedStores) -> [String] {
    let run = configuration.unobserved
    guard run.trainSteps > 0 else { return [] }
    switch run.task.family {
    case .multitask:
      return ((try? run.parts()) ?? []).filter { $0.ratio > 0 }.flatMap {
        notes(of: $0.configuration, stores)
      }
    case .pretraining:
      return ((try? run.pretrainingTargets()) ?? []).flatMap(\.splits).flatMap {
        notes($0, stores)
      }
    case .captioning:
      return run.trainCaptions.paths.flatMap { trained in
        [run.valCaptions ?? run.valReferences, run.testCaptions].compactMap { $0 }.compactMap { measured in
          FileManager.default.isFolder(measured)
            ? note(training: clips(of: trained), measured: clips(of: measured))
            : note(training: trained, rows: measured, stores)
        }
      }
    default:
      guard let trained = run.trainQueries else { return [] }
      return [run.valQueries, run.testQueries].compactMap { $0 }.compactMap {
        note(training: trained, measured: $0)
      }
    }
  }

  /// The folder of the clips of a store of captions, or the store where its captions are queries.
  private static func clips(of store: String) -> String {
    FileManager.default.isFolder("\(store)/clip.db") ? "\(store)/clip.db" : store
  }

  /// Of lists of videos to pre-train on and to validate by.
  private static func notes(_ split: PretrainingTarget.Split, _ stores: OpenedStores) -> [String] {
    guard let measured = try? stores.videoIDs(split.valIDs) else { return [] }
    guard !measured.isEmpty else {
      return ["\(split.valIDs): lists no videos, so nothing is measured at validations"]
    }
    return split.trainIDs.compactMap { file in
      guard let trained = try? stores.videoIDs(file) else { return nil }
      let names = Set(trained.lazy.map { Name($0) })
      let shared = measured.filter { names.contains(Name($0)) }
      return shared.first.map { told("\(split.valIDs)", shared.count, measured.count, "videos", $0, file) }
    }
  }

  /// Of a file of clips to describe: compares clips, videos and captions.
  private static func note(training: String, rows file: String, _ stores: OpenedStores) -> String? {
    guard let store = try? stores.captions(training),
      let rows = try? stores.clips(file, skips: SkipReport())
    else { return nil }
    let some = rows.prefix(mostRows)
    let shared = some.filter { row in
      guard !row.captions.isEmpty, let clip = try? store.clip(row.clip.text) else { return false }
      return clip.captions.compactMap(\.text).map { Name($0) } == row.captions.map { Name($0) }
        && (row.video.isEmpty || Name(row.video) == Name(clip.video))
    }
    return shared.first.map { told(file, shared.count, some.count, "clips", $0.clip.text, training) }
  }

  /// Rows of a file that are compared.
  private static let mostRows = 100

  private static func told(
    _ measured: String, _ count: Int, _ all: Int, _ what: String, _ example: String, _ training: String
  ) -> String {
    "\(measured): \(count) of the first \(all) \(what), such as \(example.spelled), are in \(training) too: figures of "
      + "what a run was trained on say little"
  }

  /// A line to be told where a store to measure on has items of the one to train on; nil where
  /// none is found.
  ///
  /// Looks at the first items of the one, and compares keys and values: corpora may count each
  /// split's items from 0.
  /// - Parameters:
  ///   - training: a store of texts.
  ///   - measured: another.
  static func note(training: String, measured: String) -> String? {
    guard let trained = try? LMDBReader(path: training), let store = try? LMDBReader(path: measured),
      let keys = try? store.someKeys()
    else { return nil }
    let shared = keys.filter { key in
      guard let value = try? store.get(key) else { return false }
      return (try? trained.get(key)) == value
    }
    return shared.first.map { told(measured, shared.count, keys.count, "items", $0, training) }
  }
}
