import Corpus
import Formats
import Foundation
import Metrics
import Tasks

/// A check for items that a run both trains on and measures itself by.
enum SharedItems {
  /// Returns a warning for each store or list to measure on that has items to train on.
  /// - Parameter stores: the run's open stores.
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

  /// Returns the folder of a caption store's clips, or the store if its captions are queries.
  private static func clips(of store: String) -> String {
    FileManager.default.isFolder("\(store)/clip.db") ? "\(store)/clip.db" : store
  }

  /// Compares the lists of videos to pre-train on and to validate on.
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

  /// Compares the clips, videos and captions of a file with those of a caption store.
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

  /// The number of rows to compare.
  private static let mostRows = 100

  private static func told(
    _ measured: String, _ count: Int, _ all: Int, _ what: String, _ example: String, _ training: String
  ) -> String {
    "\(measured): \(count) of the first \(all) \(what), such as \(example.spelled), are in \(training) too: figures of "
      + "what a run was trained on say little"
  }

  /// Returns a warning if a store to measure on has items of the store to train on; nil if it has
  /// none.
  ///
  /// Compares keys and values of the first items, because corpora may number each split's items
  /// from 0.
  /// - Parameters:
  ///   - training: the text store to train on.
  ///   - measured: the text store to measure on.
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
