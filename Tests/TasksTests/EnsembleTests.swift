import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model
import TestSupport
import Testing
import Text

@testable import Tasks

/// An ensemble of a model with itself answers as the model does, and one of two by their mean.
struct EnsembleTests {
  /// Returns the model after adding noise to parameters whose names begin with one of `starts`.
  private func shaken<Model: HeroModel>(_ model: Model, _ starts: [String]) -> Model {
    for (number, parameter) in model.store.parameters.enumerated()
    where starts.contains(where: parameter.name.hasPrefix) {
      var random = RandomStream(seed: 5, stream: UInt32(number))
      let values = model.store.values(of: parameter)
      model.store.set(parameter, to: values.map { $0 + 0.3 * random.normalPair().0 })
    }
    return model
  }

  private func softmax(_ logits: [Float]) -> [Double] {
    let powers = logits.map { exp(Double($0)) }
    return powers.map { $0 / powers.reduce(0, +) }
  }

  // MARK: Questions and statements

  @Test func questions() throws {
    let model = try QuestionGoldenTests.questionModel()
    let other = shaken(try QuestionGoldenTests.questionModel(), ["qa_", "v_encoder.c_encoder"])
    let loader = try GoldenStores.questions("val", .evaluation)
    func run(_ models: [QuestionModel]) throws -> AnswerEvaluation {
      var done = 0
      let found = try QuestionEvaluator<QuestionModel>(models.map { ($0, loader) }, batchSize: 4).run {
        done = $0
      }
      #expect(done == loader.itemCount)
      return found
    }
    let (alone, another, both) = (try run([model]), try run([other]), try run([model, other]))
    var twice = try run([model, model])
    #expect(alone.scores != another.scores)
    for (row, logits) in alone.scores.enumerated() {
      let mean = paired(softmax(logits), softmax(another.scores[row])).map { ($0 + $1) / 2 }
      for (found, wanted) in paired(both.scores[row], mean) { #expect(abs(Double(found) - wanted) < 1e-6) }
      #expect(mean[both.results.rows[row].answer] == mean.max())
      for (found, wanted) in paired(twice.scores[row], softmax(logits)) {
        #expect(abs(Double(found) - wanted) < 1e-6)
      }
    }
    // An ensemble gives probabilities and a single model logits; all else is the same.
    twice.scores = alone.scores
    #expect(twice == alone)
  }

  @Test func statements() throws {
    let model = try QuestionGoldenTests.statementModel()
    let other = shaken(try QuestionGoldenTests.statementModel(), ["violin_", "v_encoder.c_encoder"])
    let loader = try GoldenStores.statements("val", .evaluation)
    func run(_ models: [StatementModel]) throws -> AnswerEvaluation {
      try QuestionEvaluator<StatementModel>(models.map { ($0, loader) }, batchSize: 7).run()
    }
    let (alone, another, both) = (try run([model]), try run([other]), try run([model, other]))
    for (row, logits) in alone.scores.enumerated() {
      let answers: [Double] = [logits, another.scores[row]].map { 1 / (1 + exp(-Double($0[0]))) }
      let mean = (answers[0] + answers[1]) / 2
      #expect(abs(Double(both.scores[row][0]) - mean) < 1e-6)
      #expect(both.results.rows[row].answer == (mean > 0.5 ? 1 : 0))
    }
    var twice = try run([model, model])
    twice.scores = alone.scores
    #expect(twice == alone)
  }

  // MARK: Retrieval

  private func options() throws -> RetrievalEvaluationOptions {
    var options = RetrievalEvaluationOptions()
    options.frameInterval = try GoldenStores.interval()
    options.videosSearched = 3
    options.kept = 40
    return options
  }

  private struct Searched {
    let queries: QueryStore
    let members: [RetrievalEvaluator.Member]
    let results: RetrievalResults
  }

  private func search(
    _ models: [RetrievalModel], _ change: (inout RetrievalEvaluationOptions) -> Void = { _ in }
  ) throws -> Searched {
    var options = try options()
    change(&options)
    let reader = try GoldenStores.videos()
    let queries = try QueryStore(path: GoldenStores.path("db/txt_db/tvr_val.db"))
    let videos = try CandidateVideos(
      split: "val", queries: queries, subtitles: reader.subtitles, features: reader.features)
    let members = try models.map {
      (model: $0, index: try RetrievalIndex(videos, reader: reader, model: $0, batchSize: 4))
    }
    return Searched(
      queries: queries, members: members,
      results: try RetrievalEvaluator(members, queries: queries, options: options).run())
  }

  private func models() throws -> [RetrievalModel] {
    [
      try RetrievalGoldenTests.model("tvr"),
      shaken(try RetrievalGoldenTests.model("tvr"), ["q_feat_attn", "video_", "v_encoder.c_encoder"]),
    ]
  }

  @Test func aModelTwiceRanksAsItDoesAlone() throws {
    let model = try models()[0]
    for factor in [20, nil, 200] as [Float?] {
      let change = { (options: inout RetrievalEvaluationOptions) in
        options.videoScoreFactor = factor
        if factor == nil { options.rankings = [.video] }
      }
      let (alone, twice) = (try search([model], change).results, try search([model, model], change).results)
      #expect(alone.rankings.map(\.ranking) == twice.rankings.map(\.ranking))
      for (one, other) in paired(alone.rankings, twice.rankings) { #expect(one.queries == other.queries) }
    }
  }

  /// Videos rank by the mean of exp(α·score), moments by mean start and end probabilities.
  @Test func twoModelsRankByTheirMeans() throws {
    let found = try search(try models())
    let options = try options()
    let alpha = Double(try #require(options.videoScoreFactor))
    for (number, id) in found.queries.ids.enumerated() {
      let query = try found.queries.query(id)
      let parts = found.members.map { model, index in
        let tape = Tape.inference(model.store.backend)
        let text = TextInput(
          [[found.queries.meta.cls] + query.tokens], for: model.configuration, on: tape.backend)
        let encoded = model.encodeQueries(tape, text)
        let scores = model.videoScores(
          tape, queries: encoded, frames: index.frames, videos: index.segments)
        let spans = (0..<index.segments.count).map { video in
          let frames = index.frames.rowsView(index.segments[video])
          let places = Segments(lengths: [frames.rows], on: tape.backend)
          let logits = model.spanLogits(
            tape, queries: encoded, frames: frames, pairs: RowRanges([0..<frames.rows], on: tape.backend),
            places: places)
          return (
            start: softmax(tape.backend.values(of: logits.start)),
            end: softmax(tape.backend.values(of: logits.end))
          )
        }
        return (weights: tape.backend.values(of: scores).map { exp(alpha * Double($0)) }, spans: spans)
      }
      let weights = paired(parts[0].weights, parts[1].weights).map { ($0 + $1) / 2 }
      let best = weights.indices.sorted { weights[$0] > weights[$1] }.prefix(options.videosSearched)
      let index = found.members[0].index
      let videos = try #require(found.results[.video]?[number].predictions)
      #expect(videos.map(\.video) == best.map { index.videos.indices[$0] })
      for (prediction, video) in paired(videos, best) {
        #expect(abs(Double(prediction.score) - weights[video]) <= 1e-4 * weights[video])
      }
      var scores: [Double] = []
      for video in best {
        let (one, other) = (parts[0].spans[video], parts[1].spans[video])
        let start = paired(one.start, other.start).map { ($0 + $1) / 2 }
        let end = paired(one.end, other.end).map { ($0 + $1) / 2 }
        for i in start.indices {
          for j in end.indices where (options.minLength..<options.maxLength).contains(j - i) {
            scores.append(weights[video] * start[i] * end[j])
          }
        }
      }
      let moments = try #require(found.results[.videoCorpusMoment]?[number].predictions)
      let wanted = scores.sorted(by: >).prefix(options.kept)
      #expect(moments.count == wanted.count)
      for (moment, score) in paired(moments, wanted) {
        #expect(abs(Double(moment.score) - score) <= 1e-4 * score)
      }
    }
  }

  @Test func runsWithOtherFramesDoNotRankTogether() throws {
    let model = try models()[0]
    let queries = try QueryStore(path: GoldenStores.path("db/txt_db/tvr_val.db"))
    let indexes = try [nil, 5].map { clip in
      let reader = try GoldenStores.videos(maxClipLength: clip)
      let videos = try CandidateVideos(
        split: "val", queries: queries, subtitles: reader.subtitles, features: reader.features)
      return try RetrievalIndex(videos, reader: reader, model: model, batchSize: 4)
    }
    #expect(throws: (any Error).self) {
      try RetrievalEvaluator(
        indexes.map { (model: model, index: $0) }, queries: queries, options: try options())
    }
  }

  // MARK: Captions

  private func captions(_ models: [CaptionModel], _ clips: [CaptionRow], beams: Int = 1) throws -> [[Int32]?]
  {
    var decoding = DecodingOptions()
    (decoding.maximumSteps, decoding.beams) = (8, beams)
    let reader = try GoldenStores.videos()
    return try CaptionGenerator(
      models.map { ($0, reader) }, tokenizer: try Tokenizer(directory: GoldenStores.path("corpus/tokenizer")),
      options: decoding, frameInterval: try GoldenStores.interval(), videoBatch: 2
    ).captionTokens(clips)
  }

  @Test func captionsByTheMeanOfScores() throws {
    let model = try CaptionGoldenTests.model()
    let other = shaken(try CaptionGoldenTests.model(), ["decoder", "v_encoder.c_encoder"])
    let clips = Array(try CaptionStore(path: GoldenStores.path("db/txt_db/tvc_val.db")).rows().prefix(4))
    for beams in [1, 3] {
      #expect(try captions([model, model], clips, beams: beams) == captions([model], clips, beams: beams))
    }
    let tokenizer = try Tokenizer(directory: GoldenStores.path("corpus/tokenizer"))
    let (reader, interval) = (try GoldenStores.videos(), try GoldenStores.interval())
    let found = try captions([model, other], clips)
    #expect(try found != captions([model], clips) || found != captions([other], clips))
    for (clip, words) in paired(clips, found) {
      let words = try #require(words)
      let item = try reader.read(clip.video)
      let times = try #require(clip.times)
      let span = TimeSpan(start: times[0], end: times[1])
      let frames = try #require(span.clip(frames: item.frameCount, interval: interval))
      // Every word maximizes the mean of both models' scores after the words before it.
      for place in 0...words.count where place < 8 {
        let before = [tokenizer.bos] + words.prefix(place)
        let sums = try [model, other].map { model in
          let batch = CaptionBatch(
            videos: try VideoBatch([item], model: model.configuration), clips: [(0, frames)],
            inputs: [before], targets: [before])
          let tape = Tape.inference(model.store.backend)
          let scores = model.scores(tape, batch.prepared(for: model.configuration, on: tape.backend))
          return Array(tape.backend.values(of: scores).suffix(scores.columns).prefix(model.vocabulary))
        }
        let mean = paired(sums[0], sums[1]).map { ($0 + $1) / 2 }
        let next = place < words.count ? words[place] : tokenizer.eos
        #expect(mean[Int(next)] >= (mean.max() ?? 0) - 1e-4)
      }
    }
  }
}
