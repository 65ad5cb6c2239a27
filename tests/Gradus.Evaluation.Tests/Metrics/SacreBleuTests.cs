using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gradus.Evaluation.Metrics;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Metrics;

[GoldenFolder("sacrebleu", "expected.json")]
public sealed class SacreBleuTests
{
    private const double Tolerance = 1e-6;

    public static TheoryData<string> Corpus => MetricGolden.Names("sacrebleu", "corpus");

    public static TheoryData<string> Sentence => MetricGolden.Names("sacrebleu", "sentence");

    public static TheoryData<string> Tokenized => MetricGolden.Names("sacrebleu", "tokenized");

    [SharedTheory("golden", "metrics", "sacrebleu")]
    [MemberData(nameof(Corpus))]
    public void CorpusValuesEqualTheGolden(string name)
    {
        JsonElement root = MetricGolden.Read("sacrebleu"), expected = root.GetProperty("corpus").GetProperty(name);
        Metric metric = Configured(name, expected);
        (string Prediction, string Reference)[] pairs = root.Pairs();
        MetricResult result = metric.Evaluate(Examples(pairs));
        MetricGolden.Near(expected.GetProperty("score").GetDouble(), result.Value, Tolerance, name);
        AssertSettings(expected.GetProperty("signature").GetString()!, metric);

        MetricResult nonempty = metric.Evaluate(Examples([.. pairs.Where(p => p.Prediction.Length > 0 && p.Reference.Length > 0)]));
        MetricGolden.Near(expected.GetProperty("nonempty_subset_score").GetDouble(), nonempty.Value, Tolerance, $"{name} of non-empty pairs");
        if (expected.TryGetProperty("two_references_score", out JsonElement two))
        {
            MetricExample[] examples = [.. pairs.Select((p, i) => new MetricExample(p.Prediction, [p.Reference, pairs[(i + 5) % pairs.Length].Reference]))];
            MetricGolden.Near(two.GetDouble(), metric.Evaluate(examples).Value, Tolerance, $"{name} with two references");
        }
        AssertParts(name, expected, metric, result);
    }

    [SharedTheory("golden", "metrics", "sacrebleu")]
    [MemberData(nameof(Sentence))]
    public void SentenceValuesEqualTheGolden(string name)
    {
        JsonElement root = MetricGolden.Read("sacrebleu");
        double[] expected = root.GetProperty("sentence").GetProperty(name).Doubles();
        (string Prediction, string Reference)[] pairs = root.Pairs();
        // A sentence alone is a corpus of one; the score of an example is the one with effective order.
        Match bleu = Regex.Match(name, "^bleu_(?<tok>[^_]+)_(?<eff>effective|noneffective)(_(?<smooth>[^_]+)_(?<value>[^_]+))?$");
        Metric metric = bleu.Success
            ? new Bleu(
                BleuTokenizer.Get(bleu.Groups["tok"].Value),
                smoothing: bleu.Groups["smooth"].Success ? Smoothing(bleu.Groups["smooth"].Value) : BleuSmoothing.Exponential,
                smoothingValue: Number(bleu.Groups["value"].Value),
                effectiveOrder: bleu.Groups["eff"].Value == "effective")
            : Configured(name, root.GetProperty("corpus").GetProperty(name));
        bool effective = !bleu.Success || bleu.Groups["eff"].Value == "effective";
        for (int i = 0; i < pairs.Length; i++)
        {
            MetricResult one = metric.Evaluate(Examples([pairs[i]]));
            MetricGolden.Near(expected[i], one.Value, Tolerance, $"{name} of pair {i}");
            if (effective)
                MetricGolden.Near(expected[i], metric.Score(pairs[i].Prediction, pairs[i].Reference), Tolerance, $"{name} score of pair {i}");
        }
    }

    [SharedTheory("golden", "metrics", "sacrebleu")]
    [MemberData(nameof(Tokenized))]
    public void TokensEqualTheGolden(string name)
    {
        JsonElement root = MetricGolden.Read("sacrebleu");
        (string Prediction, string Reference)[] pairs = root.Pairs();
        string[] texts = [.. pairs.Select(p => p.Prediction), .. pairs.Select(p => p.Reference)];
        string[] expected = root.GetProperty("tokenized").GetProperty(name).Strings();
        Assert.Equal(texts.Length, expected.Length);
        for (int i = 0; i < texts.Length; i++)
            Assert.Equal(expected[i], BleuTokenizer.Get(name).Tokenize(texts[i]));
    }

    [Fact]
    public void ARearrangementHasTheDistanceOfAFreshCalculation()
    {
        Random random = new(3);
        for (int round = 0; round < 500; round++)
        {
            int[] text = Draw(random.Next(1, 90)), reference = Draw(random.Next(1, 90));
            BeamEditDistance distance = new(text, reference);
            int first = random.Next(text.Length), end = random.Next(first, text.Length) + 1;
            int[] changed = [.. text];
            random.Shuffle(changed.AsSpan(first, end - first));
            Assert.Equal(new BeamEditDistance(changed, reference).Distance, distance.DistanceOf(changed, first, end));
        }

        int[] Draw(int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(12))];
    }

    [Theory]
    [InlineData("a b c d", "a b c d", 0)]
    [InlineData("c d a b", "a b c d", 1)]
    [InlineData("", "a b", 2)]
    [InlineData("a b", "", 2)]
    [InlineData("a x c", "a b c", 1)]
    public void EditsCountAMovedPhraseOnce(string prediction, string reference, int edits)
    {
        NgramIndex index = new();
        Assert.Equal(edits, Ter.Edits(index.Tokens(PythonText.Split(prediction)), index.Tokens(PythonText.Split(reference))));
    }

    [Theory]
    [InlineData("~+.,23", 40)]
    [InlineData("Alice\'s hat", 0)]
    public void ReferencesAreTokenizedTwiceAsInTheReferenceImplementation(string text, double expected)
        => Assert.Equal(expected, new Ter(normalize: true).Score(text, text), 9);

    [Fact]
    public void DetailsOfAnotherMetricsResultAreRefused()
    {
        MetricResult result = new Chrf().Evaluate([new("a", ["a"])]);
        Assert.Contains("chrf", Assert.Throws<ArgumentException>(() => new Bleu().Details(result)).Message);
    }

    private static void AssertParts(string name, JsonElement expected, Metric metric, MetricResult result)
    {
        if (metric is Bleu bleu)
        {
            BleuDetails details = bleu.Details(result);
            Assert.Equal(expected.GetProperty("counts").Doubles(), details.Counts);
            Assert.Equal(expected.GetProperty("totals").Doubles(), details.Totals);
            Assert.Equal(expected.GetProperty("sys_len").GetDouble(), details.PredictionLength);
            Assert.Equal(expected.GetProperty("ref_len").GetDouble(), details.ReferenceLength);
            MetricGolden.Near(expected.GetProperty("bp").GetDouble(), details.BrevityPenalty, Tolerance, $"{name} brevity penalty");
            double[] precisions = expected.GetProperty("precisions").Doubles();
            for (int n = 0; n < precisions.Length; n++)
                MetricGolden.Near(precisions[n], details.Precisions[n], Tolerance, $"{name} precision {n + 1}");
        }
        else if (metric is Ter)
        {
            double[] totals = result.Totals();
            Assert.Equal(expected.GetProperty("num_edits").GetDouble(), totals[0]);
            MetricGolden.Near(expected.GetProperty("ref_length").GetDouble(), totals[1], Tolerance, $"{name} reference length");
        }
    }

    private static void AssertSettings(string signature, Metric metric)
    {
        IEnumerable<string> parts = signature.Split('|').Where(p => !p.StartsWith("nrefs:", StringComparison.Ordinal) && !p.StartsWith("version:", StringComparison.Ordinal));
        Assert.All(parts, part => Assert.Contains(part, metric.Settings.Split('|')));
    }

    // The signature holds the settings, but for BLEU's order (as many as there are precisions) and chrF's beta (in the name).
    private static Metric Configured(string name, JsonElement expected)
    {
        Dictionary<string, string> settings = expected.GetProperty("signature").GetString()!.Split('|')
            .Select(part => part.Split(':', 2)).ToDictionary(part => part[0], part => part[1]);
        bool lowercase = settings["case"] == "lc";
        if (settings.TryGetValue("smooth", out string? smooth))
        {
            Match value = Regex.Match(smooth, @"^(?<name>[^\[]+)(\[(?<value>.+)\])?$");
            return new Bleu(
                BleuTokenizer.Get(settings["tok"]), lowercase, Smoothing(value.Groups["name"].Value), Number(value.Groups["value"].Value),
                expected.GetProperty("precisions").GetArrayLength(), settings["eff"] == "yes");
        }
        if (settings.TryGetValue("nc", out string? order))
        {
            return new Chrf(
                int.Parse(settings["nw"]), int.Parse(order), Number(Regex.Match(name, @"_b(?<beta>[\d.]+)").Groups["beta"].Value) ?? 2,
                lowercase, settings["space"] == "yes", epsilonSmoothing: settings["eff"] == "no");
        }
        Assert.Equal("tercom", settings["tok"]);
        return new Ter(settings["norm"] == "yes", settings["punct"] == "yes", settings["asian"] == "yes", !lowercase);
    }

    private static BleuSmoothing Smoothing(string name) => name switch
    {
        "none" => BleuSmoothing.None,
        "floor" => BleuSmoothing.Floor,
        "add-k" => BleuSmoothing.AddK,
        "exp" => BleuSmoothing.Exponential,
        _ => throw new InvalidDataException($"smoothing {name} is not known."),
    };

    private static double? Number(string text) => double.TryParse(text, CultureInfo.InvariantCulture, out double value) ? value : null;

    private static MetricExample[] Examples((string Prediction, string Reference)[] pairs)
        => [.. pairs.Select(p => new MetricExample(p.Prediction, [p.Reference]))];
}
