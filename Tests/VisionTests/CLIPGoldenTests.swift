import Formats
import TestSupport
import Testing

@testable import Vision

/// The image tower compared with PyTorch's, in the layouts of open_clip and Hugging Face, with both
/// activations.
@Suite struct CLIPGoldenTests {
  @Test(arguments: CLIPRows.models) func agreesWithPyTorch(model: String) throws {
    let expected = try CLIPRows()
    let encoder = try CLIPImageTower.network(CLIPFiles(path: CLIPRows.path(model)), precision: .float32)
    let rows = try encoder.features(
      Pictures(width: expected.side, height: expected.side, bytes: expected.pictures))
    let other = expected.rows(model, "image")
    #expect(rows.count == other.count && encoder.width == 6)
    for start in stride(from: 0, to: rows.count, by: 6) {
      let row = rows[start..<start + 6]
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(paired(row, other[start..<start + 6]).allSatisfy { abs($0 / length - $1) < 2e-5 })
    }
  }
}
