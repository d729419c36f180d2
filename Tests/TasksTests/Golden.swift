import Engine
import Formats
import Foundation
import Model
import TestSupport
import Testing

@testable import Tasks

/// An answer of the reference: a padded batch, the model's outputs and its gradients.
struct Golden {
  let batch: [String: NDArray]
  let rest: JSON
  private let folder: String
  private let name: String

  static let folder = SharedData.golden.path

  /// - Parameters:
  ///   - name: e.g. `tvr`, or `adamw.0` for a batch without expectations of its own.
  ///   - folder: a folder in place of the reference's answers, such as VALUE's.
  init(_ name: String, in folder: String? = nil) throws {
    self.name = name
    let folder = folder ?? Self.folder + "/expected"
    self.folder = folder
    batch = Dictionary(
      uniqueKeysWithValues: try Safetensors.read(path: "\(folder)/\(name).batch.safetensors").tensors.map {
        ($0.name, $0.array)
      })
    rest = try JSON.read(path: "\(folder)/\(name).batch.json")
  }

  func expected() throws -> [String: NDArray] { try Self.tensors("\(folder)/\(name).expected.safetensors") }
  func gradients() throws -> [String: ExpectedArray] { try ExpectedArray.read("\(folder)/\(name).grad") }

  static func tensors(_ path: String) throws -> [String: NDArray] {
    Dictionary(uniqueKeysWithValues: try Safetensors.read(path: path).tensors.map { ($0.name, $0.array) })
  }

  static func options() throws -> JSON {
    try JSON.read(path: folder + "/expected/options.json")
  }

  /// Returns the configuration of the golden models, with a checkpoint's feature width.
  static func configuration(_ checkpoint: Checkpoint) throws -> ModelConfiguration {
    let file = folder + "/expected/model_config.json"
    var configuration = try ModelConfiguration(
      try JSON.read(path: file), file: file, featureWidth: try #require(try checkpoint.featureWidth()),
      checkpoint: checkpoint)
    configuration.setDropout(0)
    return configuration
  }

  static func checkpoint(_ name: String) throws -> Checkpoint {
    try Checkpoint(path: folder + "/expected/\(name).pt")
  }

  /// Returns the rows of a padded matrix, each up to its mask.
  func rows(_ name: String, mask: String) throws -> [[Int]] {
    let (values, shape) = (try #require(batch[name]).int64s(), try #require(batch[name]).shape)
    let kept = try #require(batch[mask])
    let flags = try kept.int64s()
    return (0..<shape[0]).map { r in
      (0..<shape[1]).filter { $0 < kept.shape[1] && flags[r * kept.shape[1] + $0] != 0 }
        .map { Int(values[r * shape[1] + $0]) }
    }
  }

  /// Returns the padded videos, packed.
  func videos(
    maskedFrames: Bool = false, featureRows: [Int]? = nil, textAlone: Bool? = nil
  ) throws -> VideoBatch {
    let features = try #require(batch["c_v_feats"])
    let (width, padded) = (features.shape[2], features.shape[1])
    let flags = try #require(batch["c_attn_masks"]).int64s()
    let values = features.floats()
    var (packed, lengths, masked): ([Float], [Int], [Int]) = ([], [], [])
    let hidden = maskedFrames ? try #require(batch["c_v_masks"]).int64s() : []
    for video in 0..<features.shape[0] {
      let count = (0..<padded).filter { flags[video * padded + $0] != 0 }.count
      for frame in 0..<count where maskedFrames && hidden[video * padded + frame] != 0 {
        masked.append(lengths.reduce(0, +) + frame)
      }
      let start = video * padded * width
      packed += values[start..<start + count * width]
      lengths.append(count)
    }
    for frame in masked { for c in 0..<width { packed[frame * width + c] = 0 } }
    let tokens = try rows("f_sub_input_ids", mask: "f_sub_input_attn_masks")
    var (sequences, firstFrame, row): ([SubtitleSequence], Int, Int) = ([], 0, 0)
    let frames = try #require(rest["sub_idx2frame_idx"]?.array)
    for (video, count) in try #require(rest["num_subs"]?.array).enumerated() {
      var own = [[Int]](repeating: [], count: try #require(count.int))
      for pair in try #require(frames[video].array) {
        own[try #require(pair.array?[0].int)] = try #require(pair.array?[1].array).compactMap(\.int)
      }
      for list in own {
        sequences.append(
          SubtitleSequence(frames: list.map { firstFrame + $0 }, tokens: tokens[row].map { Int32($0) }))
        row += 1
      }
      firstFrame += lengths[video]
    }
    return VideoBatch(
      features: [packed[...]], featureWidth: width, lengths: lengths, sequences: sequences,
      sentenceCounts: try #require(rest["num_subs"]?.array).compactMap(\.int), maskedFrames: masked,
      readsTextAlone: textAlone ?? name.hasSuffix(".sub_only"))
  }

  /// Returns the queries, slots and targets of a retrieval batch.
  func retrieval(queriesPerSlot: Int = 1) throws -> RetrievalBatch {
    let queries = try rows("query_input_ids", mask: "query_attn_masks").map { $0.map { Int32($0) } }
    let targets = try #require(batch["targets"]).int64s()
    let slots = try #require(batch["q_vidx"]).int64s().map { Int($0) }
    return RetrievalBatch(
      videos: try videos(), queries: queries,
      slots: stride(from: 0, to: queries.count, by: queriesPerSlot).map { slots[$0] },
      queriesPerSlot: queriesPerSlot,
      targets: queries.indices.map {
        FrameSpan(start: Int(targets[2 * $0]), end: Int(targets[2 * $0 + 1]))
      })
  }
}

/// Expects outputs within `tolerance` times the largest element.
func expectClose(
  _ actual: [Float], _ expected: [Float], tolerance: Float = 1e-5, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == expected.count else {
    Issue.record("\(what): \(actual.count) elements, not \(expected.count)", sourceLocation: sourceLocation)
    return
  }
  let largest = expected.map(abs).max() ?? 0
  let error = paired(actual, expected).map { abs($0 - $1) }.max() ?? 0
  #expect(
    error <= tolerance * largest, "\(what): off by \(error), largest \(largest)",
    sourceLocation: sourceLocation)
}

/// Expects gradients with ‖a − b‖ ≤ 1e-4·‖b‖ + 1e-6·(norm of all) for each parameter.
///
/// Exactly the expected parameters may have a gradient.
func expectGradients(
  _ store: ParameterStore, _ expected: [String: ExpectedArray],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let all = expected.values.reduce(0.0) { $0 + $1.norm * $1.norm }.squareRoot()
  for parameter in store.parameters {
    let gradient = parameter.gradient.map { store.backend.values(of: $0) }
    guard let wanted = expected[parameter.name] else {
      let norm = gradient.map { Double($0.map(abs).max() ?? 0) } ?? 0
      #expect(norm == 0, "\(parameter.name) should have no gradient", sourceLocation: sourceLocation)
      continue
    }
    let error = wanted.distance(to: gradient ?? [Float](repeating: 0, count: parameter.count))
    let allowed = 1e-4 * wanted.norm + 1e-6 * all
    #expect(
      error <= allowed, "gradient of \(parameter.name): off by \(error), allowed \(allowed)",
      sourceLocation: sourceLocation)
  }
  for name in expected.keys where store[name] == nil {
    Issue.record("no parameter \(name)", sourceLocation: sourceLocation)
  }
}

/// Expects norms of gradients with |a − b| ≤ 1e-4·b + 1e-6·(norm of all) for each parameter.
///
/// A parameter without an expected norm must have no gradient.
func expectGradientNorms(
  _ store: ParameterStore, _ expected: JSON, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let norms = try #require(expected.object, sourceLocation: sourceLocation)
  let all = norms.reduce(0.0) { $0 + pow($1.value.double ?? 0, 2) }.squareRoot()
  for parameter in store.parameters {
    let gradient = parameter.gradient.map { store.backend.values(of: $0) } ?? []
    let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let given = norms[parameter.name]?.double
    let wanted = given ?? 0
    #expect(
      abs(norm - wanted) <= (given == nil ? 0 : 1e-4 * wanted + 1e-6 * all),
      "gradient of \(parameter.name): norm \(norm), not \(wanted)", sourceLocation: sourceLocation)
  }
  for (name, norm) in norms where store[name] == nil && norm != .null {
    Issue.record("no parameter \(name)", sourceLocation: sourceLocation)
  }
}

extension [LossTerm] {
  /// Returns the parts times their weights, by name.
  func weighted(on backend: any Backend) -> [String: Float] {
    Dictionary(uniqueKeysWithValues: read(on: backend).map { ($0.name, $0.weight * $0.value) })
  }
}
