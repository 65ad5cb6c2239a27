using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gradus.Evaluation.Metrics;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Metrics;

[GoldenFolder("classification", "expected.json")]
public sealed class ClassificationTests
{
    private const double Tolerance = 1e-9;

    public static TheoryData<string> Cases => MetricGolden.Names("classification", "cases");

    [SharedTheory("golden", "metrics", "classification")]
    [MemberData(nameof(Cases))]
    public void ScoresEqualTheGolden(string name)
    {
        JsonElement c = MetricGolden.Read("classification").GetProperty("cases").GetProperty(name);
        int[] labels = c.GetProperty("labels").Ints();
        int[] truth = [.. c.GetProperty("y_true").Ints().Select(y => Array.IndexOf(labels, y))];
        int[] prediction = [.. c.GetProperty("y_pred").Ints().Select(y => Array.IndexOf(labels, y))];
        ConfusionMatrix matrix = ConfusionMatrix.Of(truth, prediction, labels.Length);
        double[][] probabilities = c.TryGetProperty("proba", out JsonElement rows) ? [.. rows.EnumerateArray().Select(row => row.Doubles())] : [];
        foreach (JsonProperty property in c.EnumerateObject())
            AssertProperty(property.Name, property.Value, matrix, truth, probabilities);
    }

    [SharedFact("golden", "metrics", "classification")]
    public void MultilabelScoresEqualTheGolden()
    {
        JsonElement root = MetricGolden.Read("classification"), m = root.GetProperty("multilabel");
        Assert.Equal(["cases", "multilabel", "zero_division"], root.EnumerateObject().Select(p => p.Name));
        MultilabelScores scores = MultilabelScores.Of(Rows("y_true"), Rows("y_pred"));
        foreach (JsonProperty property in m.EnumerateObject())
        {
            switch (property.Name)
            {
                case "y_true" or "y_pred": break;
                case "subset_accuracy": MetricGolden.Near(property.Value.GetDouble(), scores.SubsetAccuracy, Tolerance, property.Name); break;
                case "hamming_loss": MetricGolden.Near(property.Value.GetDouble(), scores.HammingLoss, Tolerance, property.Name); break;
                case "micro": AssertTriple(property.Value, scores.Micro, property.Name); break;
                case "macro": AssertTriple(property.Value, scores.Macro, property.Name); break;
                case "weighted": AssertTriple(property.Value, scores.Weighted, property.Name); break;
                case "samples": AssertTriple(property.Value, scores.Samples, property.Name); break;
                default: Assert.Fail($"multilabel.{property.Name} is not known."); break;
            }
        }

        bool[][] Rows(string key) => [.. m.GetProperty(key).EnumerateArray().Select(row => row.Ints().Select(x => x == 1).ToArray())];
    }

    [Fact]
    public void BadShapesAndLabelsAreErrorsThatSayWhere()
    {
        Assert.Contains("Example 1", Assert.Throws<ArgumentException>(() => ConfusionMatrix.Of([0, 2], [0, 0], 2)).Message);
        Assert.Contains("2 true classes and 1", Assert.Throws<ArgumentException>(() => ConfusionMatrix.Of([0, 1], [0], 2)).Message);
        Assert.Throws<ArgumentException>(() => ConfusionMatrix.Of([], [], 2));
        Assert.Contains("example 0", Assert.Throws<ArgumentException>(() => ProbabilityScores.LogLoss([0], [[0.5, double.NaN]])).Message);
        Assert.Contains("sum 1.2", Assert.Throws<ArgumentException>(() => ProbabilityScores.LogLoss([0], [[0.6, 0.6]])).Message);
        Assert.Contains("Example 1", Assert.Throws<ArgumentException>(() => MultilabelScores.Of([[true], [true, false]], [[true], [true]])).Message);
        Assert.Throws<ArgumentException>(() => ProbabilityScores.RocAuc([true, true], [0.1, 0.2]));
        Assert.Throws<ArgumentException>(() => ProbabilityScores.AveragePrecision([true], [double.NaN]));
    }

    [Fact]
    public void ScoresWithoutAMeaningAreAsDocumented()
    {
        ConfusionMatrix one = ConfusionMatrix.Of([1, 1], [1, 1], 3);
        Assert.True(double.IsNaN(one.CohenKappa));
        Assert.Equal(0, one.MatthewsCorrelation);
        Assert.Equal(1, one.BalancedAccuracy);
        Assert.Equal(default, one.OfClass(0));
        Assert.Equal(1.0 / 3, one.Macro().F, 12);
        Assert.Equal(1, one.Weighted().F);
        Assert.Equal(0, ProbabilityScores.AveragePrecision([false, false], [0.1, 0.2]));
        Assert.Equal(-Math.Log(Math.Pow(2, -52)), ProbabilityScores.LogLoss([0], [[0, 1]]), 12);
        Assert.Equal(0.5, ProbabilityScores.RocAuc([true, false, true, false], [0.0, -0.0, 0.0, 0.0]));
        Assert.Equal(1, ProbabilityScores.ExpectedCalibrationError([1], [[1, 0]]));
    }

    private static void AssertProperty(string name, JsonElement expected, ConfusionMatrix matrix, int[] truth, double[][] probabilities)
    {
        double? actual = name switch
        {
            "accuracy" => matrix.Accuracy,
            "balanced_accuracy" => matrix.BalancedAccuracy,
            "mcc" => matrix.MatthewsCorrelation,
            "cohen_kappa" => matrix.CohenKappa,
            "log_loss" => ProbabilityScores.LogLoss(truth, probabilities),
            "roc_auc_ovr_macro" => ProbabilityScores.RocAucOneVersusRest(truth, probabilities),
            "roc_auc" => ProbabilityScores.RocAuc(Positive(), PositiveProbability()),
            "average_precision" => ProbabilityScores.AveragePrecision(Positive(), PositiveProbability()),
            "brier" => ProbabilityScores.Brier(Positive(), PositiveProbability()),
            _ when Regex.Match(name, "^ece_([0-9]+)_equal_width_bins$") is { Success: true } m
                => ProbabilityScores.ExpectedCalibrationError(truth, probabilities, int.Parse(m.Groups[1].Value)),
            _ when Regex.Match(name, "^fbeta_([0-9.]+)_macro$") is { Success: true } m
                => matrix.Macro(double.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)).F,
            _ => null,
        };
        if (actual is { } value)
        {
            double number = expected.ValueKind == JsonValueKind.String ? double.NaN : expected.GetDouble();
            Assert.True(number.Equals(value) || Math.Abs(number - value) <= Tolerance, $"{name}: expected {number:R}, got {value:R}");
            return;
        }
        switch (name)
        {
            case "y_true" or "y_pred" or "labels" or "proba": break;
            case "confusion_matrix_rows_true":
                for (int t = 0; t < matrix.Classes; t++)
                    Assert.Equal(expected[t].Ints(), Enumerable.Range(0, matrix.Classes).Select(p => (int)matrix[t, p]));
                break;
            case "micro": AssertTriple(expected, matrix.Micro(), name); break;
            case "macro": AssertTriple(expected, matrix.Macro(), name); break;
            case "weighted": AssertTriple(expected, matrix.Weighted(), name); break;
            case "binary": AssertTriple(expected, matrix.OfClass(1), name); break;
            case "per_class": AssertPerClass(expected, matrix); break;
            default: Assert.Fail($"{name} is not known."); break;
        }

        bool[] Positive() => [.. truth.Select(y => y == 1)];
        double[] PositiveProbability() => [.. probabilities.Select(p => p[1])];
    }

    private static void AssertPerClass(JsonElement expected, ConfusionMatrix matrix)
    {
        for (int label = 0; label < matrix.Classes; label++)
        {
            PrecisionRecallF actual = matrix.OfClass(label);
            MetricGolden.Near(expected.GetProperty("precision")[label].GetDouble(), actual.Precision, Tolerance, $"precision of {label}");
            MetricGolden.Near(expected.GetProperty("recall")[label].GetDouble(), actual.Recall, Tolerance, $"recall of {label}");
            MetricGolden.Near(expected.GetProperty("f1")[label].GetDouble(), actual.F, Tolerance, $"F1 of {label}");
            Assert.Equal(expected.GetProperty("support")[label].GetInt64(), matrix.Support(label));
        }
    }

    private static void AssertTriple(JsonElement expected, PrecisionRecallF actual, string what)
    {
        MetricGolden.Near(expected.GetProperty("precision").GetDouble(), actual.Precision, Tolerance, $"{what} precision");
        MetricGolden.Near(expected.GetProperty("recall").GetDouble(), actual.Recall, Tolerance, $"{what} recall");
        MetricGolden.Near(expected.GetProperty("f1").GetDouble(), actual.F, Tolerance, $"{what} F1");
    }
}
