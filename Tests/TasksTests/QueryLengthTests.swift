import Formats
import Model
import Testing

@testable import Tasks

/// Queries against a table of 16 positions and a vocabulary of 21 tokens with some padding rows.
@Suite struct QueryLengthTests {
  private let model = TinyModel.configuration

  @Test func asManyTokensAsPositionsAreRead() throws {
    try checkQuery([Int32](repeating: 20, count: 16), model, "query 1")
  }

  @Test func moreAreRefusedByName() {
    let error = #expect(throws: DataError.self) {
      try checkQuery([Int32](repeating: 20, count: 17), model, "query 1")
    }
    #expect(error?.place == "query 1")
    #expect(error?.problem == "has 17 tokens, the model reads 16")
  }

  @Test func unknownTokensAreRefused() {
    #expect(throws: DataError.self) { try checkQuery([Int32(model.vocabularyRows)], model, "query 1") }
  }
}
