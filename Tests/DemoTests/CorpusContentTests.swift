import Formats
import TestSupport
import Testing

@testable import Demo

@Suite struct CorpusContentTests {
  let corpus: DemoCorpus

  init() throws { corpus = try DemoCorpus(smallOptions()) }

  @Test func splitsAreDisjointAndNumberedAsListed() {
    let names = DemoSplit.allCases.map { corpus.videos(in: $0) }
    #expect(names.map(\.count) == [40, 12, 12])
    #expect(Set(names.joined()).count == 64)
    let indices = DemoSplit.allCases.flatMap { split in
      corpus.durations()[split.rawValue]?.object?.values.compactMap { $0.array?.last?.int } ?? []
    }
    #expect(indices == Array(0..<64))
    #expect(corpus.pretrainSplit(training: true).array?.count == 40)
    #expect(corpus.pretrainSplit(training: false).array?.count == 24)
  }

  @Test func everyMomentLiesWithinItsVideo() throws {
    let duration = durations()
    for task in [DemoTask.tvr, .how2r, .didemo, .tvc] {
      for split in DemoSplit.allCases {
        for row in corpus.rows(task, split) {
          let whole = try #require(duration[row["vid_name"]?.string ?? ""])
          #expect(row["duration"]?.double == whole)
          let ts = try #require(row["ts"]?.array)
          for moment in ts.first?.array == nil ? [ts] : ts.compactMap(\.array) {
            let seconds = moment.compactMap(\.double)
            #expect(seconds.count == 2 && 0 <= seconds[0] && seconds[0] + 3 < seconds[1])
            #expect(seconds[1] <= whole)
          }
        }
      }
    }
  }

  @Test func everySubtitleLiesWithinItsVideoAndStartsAreSorted() throws {
    let duration = durations()
    var silent = 0
    for row in corpus.subtitleRows() {
      let whole = try #require(duration[row["vid_name"]?.string ?? ""])
      let lines = try #require(row["sub"]?.array)
      silent += lines.isEmpty ? 1 : 0
      var last = 0.0
      for line in lines {
        let (start, end) = (try #require(line["start"]?.double), try #require(line["end"]?.double))
        #expect(last <= start && start + 0.5 < end && end <= whole)
        last = end
      }
    }
    #expect(silent == 4)
  }

  @Test func durationsAndFrameCountsAgree() throws {
    let duration = durations()
    for (name, frames) in try #require(corpus.frameCounts().object) {
      let seconds = try #require(duration[name])
      #expect(frames.int == Int((seconds / 1.5).rounded(.up)))
      #expect((16...30).contains(frames.int ?? 0))
    }
  }

  @Test func idsAreUnique() {
    for (task, key) in [
      (DemoTask.tvr, "desc_id"), (.how2r, "desc_id"), (.didemo, "desc_id"), (.msrvtt, "sen_id"),
      (.tvqa, "qid"),
      (.how2qa, "qid"), (.violin, "desc_id"), (.tvc, "clip_id"),
    ] {
      let ids = DemoSplit.allCases.flatMap { corpus.rows(task, $0) }.compactMap { $0[key]?.encoded() }
      #expect(!ids.isEmpty && Set(ids).count == ids.count, "\(task)")
    }
    let captions = DemoSplit.allCases.flatMap { corpus.rows(.tvc, $0) }
      .flatMap { $0["descs"]?.array ?? [] }.compactMap { $0["desc_id"]?.int }
    #expect(Set(captions).count == captions.count)
  }

  @Test func queriesAreOfAllTypesAndNobodyTalksWithoutSubtitles() {
    let silent = Set(
      corpus.subtitleRows().filter { $0["sub"]?.array == [] }.compactMap { $0["vid_name"]?.string })
    let rows = corpus.rows(.tvr, .train)
    let types = Dictionary(grouping: rows) { $0["type"]?.string ?? "" }
    for type in ["v", "t", "vt"] { #expect((types[type]?.count ?? 0) > rows.count / 6, "\(type)") }
    #expect(types.count == 3)
    for row in rows where silent.contains(row["vid_name"]?.string ?? "") { #expect(row["type"] == "v") }
  }

  @Test func answersAreDistinctAndTheRightOneIsAnywhere() throws {
    for (task, count) in [(DemoTask.tvqa, 5), (.how2qa, 4)] {
      var places: Set<Int> = []
      for row in corpus.rows(task, .train) {
        let answers = (0..<count).compactMap { row["a\($0)"]?.string }
        #expect(Set(answers).count == count)
        places.insert(try #require(row["answer_idx"]?.int))
      }
      #expect(places == Set(0..<count))
    }
  }

  /// A wrong answer or a false statement is true of no scene of the video.
  @Test func whatIsFalseIsFalseThroughoutTheVideo() throws {
    let annotations = QuestionAnnotations(options: corpus.options)
    var fromTheVideo = 0
    var total = 0
    for scenario in corpus.scenarios {
      var random = SeededRandom(seed: 1, "test", scenario.index)
      for scene in scenario.scenes {
        for part in QuestionAnnotations.Part.allCases where part != .topic || scene.speech != nil {
          let changed = annotations.alternatives(to: scene, part, in: scenario, &random)
          #expect(changed.count >= 4)
          for wrong in changed {
            #expect(
              !scenario.scenes.contains {
                $0.person == wrong.person && $0.action == wrong.action && $0.object == wrong.object
                  && $0.place == wrong.place && $0.speech?.topic == wrong.speech?.topic
              })
          }
          let others = scenario.scenes.filter { $0 != scene }
          total += 1
          if others.contains(where: { shares(part, $0, changed[0]) }) { fromTheVideo += 1 }
        }
      }
    }
    #expect(fromTheVideo > total / 5 && fromTheVideo < total * 2 / 5)
  }

  @Test func pairsOfStatementsDifferInTheLastDigit() throws {
    let rows = corpus.rows(.violin, .test)
    for (yes, no) in zip(rows, rows.dropFirst()).enumerated().filter({ $0.offset % 2 == 0 }).map(\.element) {
      let (yesID, noID) = (try #require(yes["desc_id"]?.string), try #require(no["desc_id"]?.string))
      #expect(yesID.dropLast() == noID.dropLast() && yesID.hasSuffix("-1") && noID.hasSuffix("-0"))
      #expect(yes["label"] == true && no["label"] == false && yes["desc"] != no["desc"])
      #expect(yes["vid_name"] == no["vid_name"])
    }
  }

  @Test func testVideosCombineKnownConceptsAnew() throws {
    let full = try DemoCorpus()
    let (train, test) = (
      full.scenarios(in: .train).flatMap(\.scenes), full.scenarios(in: .test).flatMap(\.scenes)
    )
    for concept in [\Scene.person, \.action, \.object, \.place] {
      #expect(Set(test.map { $0[keyPath: concept] }).isSubset(of: Set(train.map { $0[keyPath: concept] })))
    }
    let pairs = Set(train.map { [$0.action, $0.object] })
    let new = test.count { !pairs.contains([$0.action, $0.object]) }
    #expect(new > test.count / 3)
    #expect(!train.contains { ScenarioWriter.isHeldOut(action: $0.action, object: $0.object) })
  }

  @Test func chanceIsWhatCountingSays() {
    let levels = corpus.chance(of: .tvr)
    #expect(abs((levels["VR_r1"] ?? 0) - 100.0 / 12) < 1e-9)
    #expect(levels["VR_r100"] == 100)
    for kind in ["VCMR", "SVMR"] {
      for threshold in ["0.5", "0.7"] {
        let ranks = [1, 5, 10, 100].map { levels["\(kind)_\(threshold)-r\($0)"] ?? -1 }
        #expect(ranks == ranks.sorted() && ranks[0] > 0 && ranks[3] <= 100)
      }
    }
    #expect((levels["VCMR_0.5-r1"] ?? 9) < (levels["SVMR_0.5-r1"] ?? 0) / 6)
    #expect(corpus.chance(of: .msrvtt)["VR_r5"].map { abs($0 - 500.0 / 12) < 1e-9 } == true)
    // One video of three frames: its only span of three frames is right for a moment that covers
    // it.
    let scenario = Scenario(
      index: 0, name: "v", split: .test, frameCount: 3, duration: 4.5, scenes: [], hasSubtitles: false)
    let one = ChanceLevels(
      scenarios: [scenario], options: corpus.options, minimumLength: 2, maximumLength: 16)
    #expect(one.ofMoments([[[0...4.5]]])["VCMR_0.7-r1"] == 100)
    #expect(one.ofMoments([[[0...1.5]]])["SVMR_0.5-r1"] == 0)
    #expect(one.ofMoments([[[0...1.5, 0...1.5, 0...4.5, 0...4.5]]])["SVMR_0.5-r1"] == 100)
  }

  private func shares(_ part: QuestionAnnotations.Part, _ a: Scene, _ b: Scene) -> Bool {
    switch part {
    case .person: a.person == b.person
    case .action: a.action == b.action
    case .object: a.object == b.object
    case .place: a.place == b.place
    case .topic: a.speech != nil && a.speech?.topic == b.speech?.topic
    }
  }

  /// VLEP's answers are placed at random, with two different events a row.
  ///
  /// The right event is what the next scene shows. The wrong one comes from elsewhere in the video
  /// or from none of its scenes.
  @Test func futuresFollow() throws {
    let corpus = try DemoCorpus(smallOptions())
    var first = 0
    let rows = corpus.rows(.vlep, .train)
    for row in rows {
      let events = try #require(row["events"]?.array).compactMap(\.string)
      let answer = try #require(row["answer"]?.int)
      #expect(events.count == 2 && events[0] != events[1] && (0...1).contains(answer))
      let times = try #require(row["ts"]?.array).compactMap(\.double)
      #expect(times.count == 2 && times[0] < times[1])
      if answer == 0 { first += 1 }
    }
    // Half of 200, within five standard deviations.
    #expect(rows.count == 200 && (65...135).contains(first))
    #expect(corpus.chance(of: .vlep) == ["acc": 50] && corpus.chance(of: .yc2c).isEmpty)
    #expect(corpus.chance(of: .yc2r) == corpus.chance(of: .msrvtt))
  }

  private func durations() -> [String: Double] {
    var result: [String: Double] = [:]
    for split in DemoSplit.allCases {
      for (name, value) in corpus.durations()[split.rawValue]?.object ?? JSONObject() {
        result[name] = value.array?.first?.double
      }
    }
    return result
  }
}
