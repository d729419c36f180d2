import Corpus
import Engine
import Formats
import Model
import Tasks
import Testing

/// With `queries_per_video`, several queries of a video share its encoding.
struct QueriesPerVideoTests {
  private static func loader(_ queriesPerVideo: Int) throws -> RetrievalLoader {
    let model = try RetrievalGoldenTests.model("tvr", RetrievalModel.self, on: .cpu)
    return try RetrievalLoader(
      queries: .init(path: GoldenStores.path("db/txt_db/tvr_train.db")), videos: GoldenStores.videos(),
      maxTextLength: -1, queriesPerVideo: queriesPerVideo, frameInterval: GoldenStores.interval(),
      hasSpans: true, model: model.configuration)
  }

  /// Returns the texts of the queries by video, in the store's order.
  private static func texts(_ loader: RetrievalLoader) throws -> [[[Int32]]] {
    var videos: [String] = []
    var texts: [String: [[Int32]]] = [:]
    for id in loader.ids {
      let query = try loader.queries.query(id)
      let name = try #require(query.video)
      if texts[name] == nil { videos.append(name) }
      texts[name, default: []].append([loader.queries.meta.cls] + query.tokens)
    }
    return videos.map { texts[$0]! }
  }

  @Test(arguments: [2, 3, 100]) func everyItemIsAVideoWithItsOwnQueries(size: Int) throws {
    let loader = try Self.loader(size)
    let own = try Self.texts(loader)
    try #require(own.contains { $0.count > 1 })
    #expect(loader.itemCount == own.reduce(0) { $0 + ($1.count + size - 1) / size })
    var item = 0
    for texts in own {
      for _ in 0..<(texts.count + size - 1) / size {
        let random = RandomStream(seed: 1, step: UInt64(item), for: .batch)
        let batch = try #require(try loader.batch(of: [item], random: random))
        #expect(batch.slots == [0] && batch.queriesPerSlot == size && batch.queries.count == size)
        // No query repeats before all are drawn; some have the same text.
        let drawn = Dictionary(grouping: batch.queries) { $0 }.mapValues(\.count)
        let known = Dictionary(grouping: texts) { $0 }.mapValues(\.count)
        let (least, most) = (size / texts.count, (size + texts.count - 1) / texts.count)
        for (text, count) in drawn { #expect(count <= most * (known[text] ?? 0)) }
        for (text, count) in known { #expect(drawn[text] ?? 0 >= least * count) }
        item += 1
      }
    }
    #expect(item == loader.itemCount)
  }

  @Test func everyEpochDrawsAnew() throws {
    let loader = try Self.loader(2)
    let own = try Self.texts(loader)
    let several = try #require(own.firstIndex { Set($0).count > 2 })
    let item = own[..<several].reduce(0) { $0 + ($1.count + 1) / 2 }
    let drawn = try (0..<40).map { step in
      try loader.batch(of: [item], random: RandomStream(seed: 1, step: UInt64(step), for: .batch))?.queries
    }
    #expect(Set(drawn).count > 1)
    #expect(Set(drawn.compactMap { $0 }.joined()) == Set(own[several]))
  }

  /// An item's draw does not depend on its batch, so ranks may divide a batch as they like.
  @Test func itemsDrawForThemselves() throws {
    let loader = try Self.loader(2)
    let random = RandomStream(seed: 1, step: 7, for: .batch)
    let all = try #require(try loader.batch(of: [0, 1, 2], random: random))
    let parts = try (0..<3).map { try #require(try loader.batch(of: [$0], random: random.following($0))) }
    #expect(all.queries == parts.flatMap(\.queries) && all.targets == parts.flatMap(\.targets))
  }

  @Test func oneQueryAVideoIsTheReferencesSampling() throws {
    let loader = try Self.loader(1)
    #expect(loader.itemCount == loader.ids.count)
    let batch = try #require(
      try loader.batch(of: [2, 0], random: RandomStream(seed: 1, stream: 0)))
    let expected = try [2, 0].map { item in
      [loader.queries.meta.cls] + (try loader.queries.query(loader.ids[item]).tokens)
    }
    #expect(batch.queries == expected && batch.queriesPerSlot == 1)
  }
}
