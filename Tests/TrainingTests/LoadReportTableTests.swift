import Model
import Testing

@testable import Training

struct LoadReportTableTests {
  @Test func showsWhatBecameOfEveryArray() {
    var report = LoadReport()
    report.loaded = ["v_encoder.f_encoder.a", "video_query_linear.weight", "v_encoder.f_encoder.b"]
    report.missing = ["decoder.a.weight"]
    report.resized = [("v_encoder.c_encoder.positions", [10, 8], [4, 8])]
    report.mismatched = [("qa_pool.weight", [1, 8], [1, 4])]
    #expect(report.table.headings == ["", "arrays", "which"])
    #expect(
      report.table.rows == [
        ["loaded", "3", "v_encoder.f_encoder 2, video_query_linear"],
        ["random: not in the checkpoint", "1", "decoder"],
        ["loaded as far as it goes", "1", "v_encoder.c_encoder.positions: 10 × 8, not 4 × 8"],
        ["random: another shape", "1", "qa_pool.weight: 1 × 8, not 1 × 4"],
      ])
  }

  @Test func longListsAreCutShort() {
    var report = LoadReport()
    report.unused = (1...9).map { "module\($0).weight" }
    #expect(
      report.table.rows == [
        [
          "without a place in the model", "9",
          "module1, module2, module3 and 6 more",
        ]
      ])
  }
}
