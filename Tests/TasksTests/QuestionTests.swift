import Corpus
import Engine
import Formats
import Foundation
import Model
import Synchronization
import TestSupport
import Testing

@testable import Tasks

/// A record of what was skipped, in order.
final class Skipped: Sendable {
  private let errors = Mutex<[DataError]>([])
  var all: [DataError] { errors.withLock { $0 } }
  func add(_ error: DataError) { errors.withLock { $0.append(error) } }
}

@Suite("Questions")
struct QuestionTests {
  @Test func itemsAreSkippedOnce() {
    let skipped = Skipped()
    let report = SkipReport { error, _ in skipped.add(error) }
    for _ in 0..<3 {
      report.skip("clip 1", file: "store", DataError("is broken"))
      report.skip("clip 2", file: "store", DataError("is broken", file: "other"))
    }
    #expect(
      skipped.all == [
        DataError("is broken", file: "store", place: "clip 1"),
        DataError("is broken", file: "other", place: "clip 2"),
      ])
  }
}

@Suite(
  "Loading questions and statements")
struct QuestionLoadingTests {
  /// Long questions are skipped by the length of the question with its longest answer.
  @Test func longQuestions() throws {
    let all = try GoldenStores.questions("train")
    let lengths = try all.ids.map { id in
      let question = try all.store.question(id)
      return (question.tokens?.count ?? 0) + (question.answers.map(\.count).max() ?? 0)
    }
    let limit = try #require(lengths.max()) - 1
    let some = try GoldenStores.questions("train", .training(maxTextLength: limit))
    #expect(some.ids == paired(all.ids, lengths).filter { $1 <= limit }.map(\.0))
    #expect(some.itemCount < all.itemCount)
  }

  /// A moment that does not parse is no target, but the question is still used.
  @Test func unknownMoments() throws {
    let skipped = Skipped()
    let loader = try GoldenStores.questions("train") { skipped.add($0) }
    for item in 0..<loader.itemCount {
      let batch = try #require(try loader.batch(of: [item], random: RandomStream(seed: 0, stream: 0)))
      let isKnown = try loader.store.question(loader.ids[item]).span != nil
      #expect((batch.spans[0].start >= 0) == isKnown && (batch.spans[0].end >= 0) == isKnown)
    }
    #expect(try loader.ids.contains { try loader.store.question($0).span == nil })
    #expect(skipped.all.isEmpty)
  }

  /// A question with unknown tokens is reported and skipped, also in results.
  @Test func unknownTokens() throws {
    let model = try QuestionGoldenTests.questionModel()
    var small = model.configuration
    let longest = try GoldenStores.questions("val")
    let first = try longest.store.question(longest.ids[0])
    // The vocabulary just excludes the first question's largest id.
    let largest = try #require(((first.tokens ?? []) + first.answers.flatMap { $0 }).max())
    small.cross.vocabulary = Int(largest) / 8 * 8
    let skipped = Skipped()
    let loader = try GoldenStores.questions("val", .evaluation, model: small) { skipped.add($0) }
    #expect(try loader.load([0]) == nil)
    #expect(skipped.all.map(\.place) == ["question \(longest.ids[0])"])
  }

  /// The span loss is weighted, and without a weight it is not computed.
  @Test func spanWeightIsOptional() throws {
    let model = try QuestionGoldenTests.questionModel()
    let backend = model.store.backend
    let batch = try Golden("tvqa").questions().prepared(for: model.configuration, on: backend)
    let tape = Tape.training(model.store.backend, seed: 1, step: 0)
    let loss = model.loss(tape, batch, spanWeight: 0).read(on: backend)
    tape.backward()
    #expect(loss[1].value == 0 && loss[0].value > 0)
    let parts = QuestionSource(
      name: "tvqa", model: model, loader: try GoldenStores.questions("train"), spanWeight: 0.5)
    var random = RandomStream(seed: 0, stream: 0)
    let found = parts.loss(.inference(backend), batch, update: 0, random: &random).read(on: backend)
    #expect(found.map(\.name) == ["qa", "st_ed"] && found.map(\.weight) == [1, 0.5])
    #expect(found[0].value == loss[0].value)
  }

  /// Unknown answers and moments give no loss and no gradient.
  @Test func hiddenTargets() throws {
    let model = try QuestionGoldenTests.questionModel()
    var batch = try Golden("tvqa").questions()
    batch.targets = batch.targets.map { _ in -1 }
    batch.spans = batch.spans.map { _ in .unknown }
    let tape = Tape.training(model.store.backend, seed: 1, step: 0)
    let loss = model.loss(
      tape, batch.prepared(for: model.configuration, on: model.store.backend), spanWeight: 1
    ).read(on: model.store.backend)
    tape.backward()
    #expect(loss.allSatisfy { $0.value == 0 })
    #expect(model.store.gradientNorm() == 0)
  }
}
