import Engine
import Formats
import Foundation
import Metrics
import Model
import Search
import SearchTestSupport
import TestSupport
import Testing
import Training

@testable import Corpus
@testable import Serve

/// The server describes moments and answers questions as `hero caption` and `hero eval` do.
@Suite("Describing and asking", .serialized)
struct VideoModelTests {
  private static let golden = SharedData.golden.path
  private let folder: TemporaryFolder
  private let backend: any Backend

  init() throws {
    folder = try TemporaryFolder()
    backend = try CPUBackend()
    let all = try JSON.read(path: Self.golden + "/expected/options.json")
    let shape = try String(contentsOfFile: Self.golden + "/expected/model_config.json", encoding: .utf8)
    for task in ["tvr", "tvc", "tvqa"] {
      var options = task == "tvr" ? try #require(all["eval"]?.object) : JSONObject()
      options["task"] = .string(task)
      options["max_clip_len"] = all["max_clip_len"]
      options["sub_ctx_len"] = all["sub_ctx_len"]
      options["vfeat_interval"] = all["frame_interval"]
      if task == "tvc" { options["max_gen_step"] = all["caption_steps"] }
      _ = try folder.file("\(task)/log/hps.json", JSON.object(options).encoded())
      _ = try folder.file("\(task)/log/model_config.json", shape)
    }
  }

  private func weights(_ task: String) -> String { Self.golden + "/expected/\(task).pt" }
  private var tokenizer: String { Self.golden + "/corpus/tokenizer" }
  private func stores() throws -> RunArguments {
    try IndexWork(index: folder.path("index")).arguments(
      features: Self.golden + "/db/video_db/tv", subtitles: Self.golden + "/db/txt_db/tv_subtitles.db")
  }

  /// Returns a run of the reference's weights that reads those stores.
  private func saved(_ task: String, _ stores: RunArguments? = nil) throws -> SavedRun {
    try SavedRun(
      path: folder.path(task), checkpoint: weights(task), stores ?? self.stores(), for: .description,
      log: RunLog())
  }

  private func captioning(_ task: String = "tvc", options: DecodingOptions = DecodingOptions()) throws
    -> OpenedCaptioning
  {
    try OpenedCaptioning(saved(task), tokenizer: tokenizer, options, backend: backend)
  }

  private func answering(_ task: String = "tvqa", tokenizer: String? = nil) throws -> OpenedAnswering {
    try OpenedAnswering(saved(task), tokenizer: tokenizer ?? self.tokenizer, backend: backend)
  }

  /// Returns a site over an index of the reference's videos, with the videos' numbers.
  private func site(_ captioning: OpenedCaptioning?, _ answering: OpenedAnswering?) throws -> (
    site: SearchSite, numbers: [String: Int]
  ) {
    let model = try SearchModel(
      folder: folder.path("tvr"), checkpoint: weights("tvr"), tokenizer: tokenizer, log: RunLog(),
      backend: backend)
    let reader = try model.opened.reader(
      features: Self.golden + "/db/video_db/tv", subtitles: Self.golden + "/db/txt_db/tv_subtitles.db",
      cls: model.tokenizer.cls)
    let path = folder.path("index")
    _ = try Indexing(path: path, model: model, reader: reader).run(batchSize: 4, onSkip: { _ in })
    let searcher = try MomentSearcher(
      index: path, checkpoint: weights("tvr"), log: RunLog(), backend: backend)
    let models = VideoModels(searcher: searcher, captioning: captioning, answering: answering)
    #expect(try models.missing() == 0)
    var numbers: [String: Int] = [:]
    for video in 0..<searcher.index.count { numbers[try searcher.index.name(of: video)] = video }
    return (SearchSite(searcher: searcher, models: models, isLoopback: true), numbers)
  }

  private func get(_ site: SearchSite, _ target: String) async throws -> JSON {
    let request = try RequestHead.parse(
      Array("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)[...], limits: ServerLimits())
    let answer = try await site.handleRequest(request)
    return try JSON.parse([UInt8](try await answer.bodyData))
  }

  private func encoded(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
  }

  @Test(arguments: [1, 3]) func captionsAreThoseOfTheCommand(beams: Int) async throws {
    var options = DecodingOptions()
    options.beams = beams
    let clips = Self.golden + "/corpus/ann/tvc_val.jsonl"
    let wanted = try saved("tvc").caption(
      clips, to: folder.path("captions.jsonl"), tokenizer: tokenizer, options, backend: backend
    ).captions
    let (site, numbers) = try site(try captioning(options: options), nil)
    var compared = 0
    for row in wanted.prefix(6) {
      let (times, number) = (try #require(row.times), try #require(numbers[row.video]))
      let answer = try await get(site, "/api/describe/\(number)?start=\(times[0])&end=\(times[1])")
      #expect(answer["caption"]?.string == row.captions[0] && answer["start"]?.double == times[0])
      compared += 1
    }
    #expect(compared > 0 && wanted.contains { !$0.captions[0].isEmpty })
  }

  @Test func answersAreThoseOfTheEvaluation() async throws {
    let store = Self.golden + "/db/txt_db/tvqa_val.db"
    let run = try SavedRun(
      path: folder.path("tvqa"), checkpoint: weights("tvqa"), stores(), for: .evaluation, log: RunLog())
    let outcome = try EvaluationRun([run]).run(split: "val", store: store, backend: backend)
    let results = try #require(try JSON.read(path: outcome.path).object)
    let (site, numbers) = try site(nil, try answering())
    var (loss, known) = (0.0, 0)
    try await {
      var rows: [JSON] = []
      try JSONLines.read(path: store + "/query_data.jsonl") { _, row in rows.append(row) }
      for row in rows {
        let id = try #require(row["qid"]?.string ?? row["qid"]?.int.map(String.init))
        let number = try #require(numbers[row["vid_name"]?.string ?? ""])
        let texts = (0..<5).map { row["a\($0)"]?.string ?? "" }
        let query = (["q=" + encoded(row["q"]?.string ?? "")] + texts.map { "a=" + encoded($0) })
        let answer = try await get(site, "/api/ask/\(number)?\(query.joined(separator: "&"))")
        #expect(answer["chosen"]?.int == results[id]?.int, "\(id)")
        let shares = (answer["answers"]?.array ?? []).compactMap { $0["probability"]?.double }
        #expect(shares.count == 5 && abs(shares.reduce(0, +) - 1) < 1e-5)
        let moment = try #require(answer["moment"])
        #expect((moment["start"]?.double ?? -1) >= 0)
        #expect((moment["end"]?.double ?? 0) > (moment["start"]?.double ?? 0))
        if let target = row["answer_idx"]?.int { (loss, known) = (loss - log(shares[target]), known + 1) }
      }
    }()
    // The loss over the split shows that the scores behind the answers are the same.
    let expected = try #require(outcome.report.scalars.first { $0.name == "valid/loss" }?.value)
    #expect(known > 0 && abs(loss / Double(known) - expected) < 1e-5)
  }

  /// A moment beyond the frames a model reads at once is described from a part around it.
  ///
  /// A moment or a whole video with more frames than that is refused.
  @Test func momentsOfLongVideos() async throws {
    let part = 8
    var cut = try stores()
    try cut.set(\.maxClipLength, part)
    let captioning = try OpenedCaptioning(
      saved("tvc", cut), tokenizer: tokenizer, DecodingOptions(), backend: backend)
    let answering = try OpenedAnswering(saved("tvqa", cut), tokenizer: tokenizer, backend: backend)
    let (site, numbers) = try site(captioning, answering)
    let reader = captioning.videos
    let name = try #require(
      numbers.keys.sorted().first { (reader.features.frameCount(of: $0) ?? 0) > 2 * part })
    let (number, frames) = (try #require(numbers[name]), try #require(reader.features.frameCount(of: name)))
    let interval = try #require(
      try JSON.read(path: Self.golden + "/expected/options.json")["frame_interval"]?.double)
    func span(_ range: Range<Int>) -> String {
      "start=\(Double(range.lowerBound) * interval)&end=\(Double(range.upperBound) * interval)"
    }
    // The part contains the moment, in its middle if there is room.
    let whole = try reader.open(name)
    for moment in [0..<3, part - 2..<part, part - 1..<part + 1, part + 2..<part + 5, frames - 2..<frames] {
      let (item, first) = try reader.read(whole, around: moment)
      #expect(item.frameCount == part && first <= moment.lowerBound && first + part >= moment.upperBound)
      #expect(moment.upperBound > part || first == 0)
      let wanted = try first == 0 ? reader.read(name) : reader.read(first..<first + part, of: whole)
      #expect(
        item.features == wanted.features && item.subtitles.map(\.frames) == wanted.subtitles.map(\.frames))
      let all = try answering.videos.features.stored(of: name).frames(first..<first + part)
      #expect(item.features == all.values)
      let described = try await get(site, "/api/describe/\(number)?\(span(moment))")
      #expect(described["caption"]?.string != nil)
      let asked = try await get(site, "/api/ask/\(number)?q=who&a=one&a=two&\(span(moment))")
      let found = try #require(asked["moment"])
      #expect((found["start"]?.double ?? -1) >= Double(first) * interval - 1e-9)
      #expect((found["end"]?.double ?? .infinity) <= Double(first + part) * interval + 1e-9)
    }
    for target in [
      "/api/describe/\(number)", "/api/describe/\(number)?\(span(1..<part + 2))",
      "/api/ask/\(number)?q=who&a=one&a=two",
      "/api/ask/\(number)?q=who&a=one&a=two&\(span(0..<frames))",
      "/api/ask/\(number)?q=who&a=one&a=two&start=2",
      "/api/describe/\(number)?\(span(frames + 1..<frames + 2))",
    ] {
      await #expect(throws: RefusedRequest.self, "\(target)") { try await get(site, target) }
    }
  }

  @Test func whatIsNotLoadedIsNotOffered() async throws {
    let (site, _) = try site(nil, nil)
    let index = try await get(site, "/api/index")
    #expect(index["describe"]?.bool == false && index["ask"]?.bool == false)
    for target in ["/api/describe/0?start=0&end=1", "/api/ask/0?q=a&a=b&a=c"] {
      await #expect(throws: RefusedRequest.self) { try await get(site, target) }
    }
  }

  @Test func badRequestsAreRefused() async throws {
    let (site, _) = try site(try captioning(), try answering())
    let index = try await get(site, "/api/index")
    #expect(index["describe"]?.bool == true && index["ask"]?.bool == true && index["most_answers"]?.int == 5)
    let long = String(repeating: "a", count: 1001)
    for target in [
      "/api/describe/0?start=2&end=1", "/api/describe/0?start=1", "/api/describe/0?start=nan&end=2",
      "/api/describe/0?start=-1&end=2", "/api/describe/0?start=9000&end=9001",
      "/api/describe/99?start=0&end=1",
      "/api/ask/0?q=a", "/api/ask/0?q=a&a=b", "/api/ask/0?q=&a=b&a=c", "/api/ask/0?q=a&a=b&a=",
      "/api/ask/0?q=a&a=b&a=\(long)", "/api/ask/0?q=\(long)&a=b&a=c",
      "/api/ask/0?q=a&a=1&a=2&a=3&a=4&a=5&a=6",
    ] {
      await #expect(throws: RefusedRequest.self, "\(target)") { try await get(site, target) }
    }
  }

  @Test func runsThatDoNotFitAreRefused() throws {
    #expect(throws: DataError.self) { try captioning("tvqa") }
    #expect(throws: DataError.self) { try answering("tvc") }
    let other = try SmallModel().folder
    #expect(throws: DataError.self) { try answering(tokenizer: other.path("tokenizer")) }
  }
}
