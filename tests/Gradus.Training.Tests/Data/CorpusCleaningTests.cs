using Gradus.Training.Data;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Training.Tests.Data;

/// <summary>Corpora are cleaned in order, with the same bytes each time, and every document is accounted for.</summary>
public sealed class CorpusCleaningTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void FiltersKeepTheRecordAndSayWhatTheyTook()
    {
        string path = Corpus(60);
        (CleaningReport report, string[] lines) = Run(path, (c, output) => c.Filter([("gopher", new GopherQuality(MinWords: 20))], output));
        Assert.Equal(60, report.Documents);
        Assert.Equal(report.Kept, lines.Length);
        Assert.InRange(report.Kept, 20, 59);
        Assert.Equal(report.Documents - report.Kept, report.Losses.Sum(l => l.Value.Documents));
        Assert.All(report.Losses, l => Assert.StartsWith("gopher: gopher_", l.Key, StringComparison.Ordinal));
        Assert.All(report.Losses, l => Assert.NotEmpty(l.Value.Samples));
        Assert.All(lines, l => Assert.Contains("\"id\":", l, StringComparison.Ordinal));
        int[] ids = [.. lines.Select(l => (int)System.Text.Json.Nodes.JsonNode.Parse(l)!["id"]!)];
        Assert.Equal(ids.Order(), ids);
    }

    [Theory]
    [InlineData("exact")]
    [InlineData("minhash")]
    [InlineData("bloom")]
    [InlineData("sentence")]
    public void DuplicatesGoAndTheResultIsAlwaysTheSame(string method)
    {
        string path = Corpus(80);
        Action<CorpusCleaning, string> step = method switch
        {
            "exact" => (c, output) => c.DropEqual(output),
            "minhash" => (c, output) => c.DropAlike(new MinHash(), output),
            "bloom" => (c, output) => c.DropKnown(new BloomDeduplication((1 << 20) - 1, ngrams: 5), output),
            _ => (c, output) => c.DropSentences(new SentenceDeduplication(MinWords: 5, MinSentences: 1), output),
        };
        (CleaningReport report, string[] lines) = Run(path, step);
        Assert.Equal(80, report.Documents);
        Assert.Equal(lines.Length, report.Kept);
        Assert.InRange(report.Kept, 1, 79);
        Assert.Equal(lines, Run(path, step).Lines);
        Assert.Equal(lines.Length, lines.Distinct().Count());
    }

    [Fact]
    public void LikeDocumentsAreFoundAndOthersKept()
    {
        // Numbers are all alike to it: words of letters.
        static string Letters(int n) => string.Concat(n.ToString(System.Globalization.CultureInfo.InvariantCulture).Select(c => (char)('a' + (c - '0'))));
        string words = string.Join(' ', Enumerable.Range(0, 300).Select(i => $"w{Letters(i * 7919 % 1000)}"));
        string[] texts = [words, words + " and a little more", words.Replace("wh", "other", StringComparison.Ordinal), string.Join(' ', Enumerable.Range(0, 300).Select(i => $"x{Letters(i * 31 % 997)}")), "too short", "too short"];
        string path = _folder.Write("a.jsonl", string.Concat(texts.Select(t => $"{{\"text\": \"{t}\"}}\n")));
        string[] kept = Run(path, (c, output) => c.DropAlike(new MinHash(), output)).Lines;
        Assert.Equal([true, false, true, true, true], new[] { texts[0] + "\"", "little more", texts[3], "too short", "\"text\":" }.Select(t => kept.Any(l => l.Contains(t, StringComparison.Ordinal))));
        Assert.Equal(2, kept.Count(l => l.Contains("too short", StringComparison.Ordinal)));
    }

    [Fact]
    public void ContaminatedDocumentsGoAndAddressesAreReplaced()
    {
        Decontamination rule = new(5);
        rule.Add("test", "The capital of that far country is Samarkand.", "Where?");
        string path = _folder.Write("a.jsonl", "{\"text\": \"They say THE capital of that far country is rich.\"}\n{\"text\": \"write to me@there.org or 9.9.9.9\", \"n\": 1}\n");
        (CleaningReport report, string[] lines) = Run(path, (c, output) => c.Decontaminate(rule, output));
        Assert.Equal("contains test", Assert.Single(report.Losses).Key);
        Assert.Contains("me@there.org", Assert.Single(lines), StringComparison.Ordinal);
        Assert.Equal("{\"text\":\"write to email@example.com or 22.214.171.124\",\"n\":1}", Run(_folder["out.jsonl"], (c, output) => c.Scrub(new PersonalData(), output), "scrubbed.jsonl").Lines.Single());
    }

    [Fact]
    public void FoldersAndPatternsAreReadInTheOrderOfTheirNamesAndOutputsAreCompressed()
    {
        Directory.CreateDirectory(_folder["c/d"]);
        _folder.Write("c/b.jsonl", "{\"text\": \"b\"}\n");
        _folder.Write("c/a.txt", "a");
        _folder.Write("c/d/e.csv", "text\ne\n");
        Assert.Equal(["a.txt", "b.jsonl", "e.csv"], CorpusDocuments.Files([_folder["c"]]).Select(Path.GetFileName));
        Assert.Equal(["b.jsonl"], CorpusDocuments.Files([_folder["c/*.jsonl"]]).Select(Path.GetFileName));
        Assert.Contains("no file", Assert.Throws<InvalidDataException>(() => CorpusDocuments.Files([_folder["c/*.xml"]])).Message, StringComparison.Ordinal);
        foreach (string name in new[] { "o.jsonl", "o.jsonl.gz", "o.jsonl.zst" })
        {
            new CorpusCleaning(CorpusDocuments.Files([_folder["c"]]), null, new CleaningReport()).DropEqual(_folder[name]);
            Assert.Equal(["a", "b", "e"], TextFiles.Documents([_folder[name]]));
        }
    }

    [Fact]
    public void MixturesFollowWeightsSeedAndPasses()
    {
        string a = _folder.Write("a.jsonl", string.Concat(Enumerable.Range(0, 300).Select(i => $"{{\"text\": \"a{i}\"}}\n"))), b = _folder.Write("b.jsonl", string.Concat(Enumerable.Range(0, 50).Select(i => $"{{\"text\": \"b{i}\"}}\n")));
        MixtureSource[] sources = [new("a", [a], 3), new("b", [b], 1)];
        IReadOnlyList<(long Documents, int Passes)> taken = CorpusMixture.Write(sources, 400, 1, 4, 7, _folder["m.jsonl"]);
        string[] texts = [.. TextFiles.Documents([_folder["m.jsonl"]])];
        Assert.Equal(400, texts.Length);
        Assert.Equal(taken[0].Documents, texts.Count(t => t[0] == 'a'));
        Assert.InRange(taken[0].Documents, 270, 330);
        Assert.InRange(taken[1].Passes, 1, 2);
        Assert.Equal(Enumerable.Range(0, 50).Select(i => $"b{i}"), texts.Where(t => t[0] == 'b').Take(50));
        CorpusMixture.Write(sources, 400, 1, 4, 7, _folder["n.jsonl"]);
        Assert.Equal(File.ReadAllText(_folder["m.jsonl"]), File.ReadAllText(_folder["n.jsonl"]));
        Assert.Equal([0.75, 0.25], CorpusMixture.Shares([3, 1], 1));
        Assert.InRange(CorpusMixture.Shares([3, 1], 10)[0], 0.5, 0.55);
        Assert.Contains("more than 1 times", Assert.Throws<InvalidDataException>(() => CorpusMixture.Write(sources, 400, 1, 1, 7, _folder["o.jsonl"])).Message, StringComparison.Ordinal);
    }

    // Sentences of a few words; every seventh document is that of three before.
    private string Corpus(int documents)
    {
        string Sentence(int i) => $"The {Word(i)} and the {Word(i + 3)} have to be with that {Word(i * i)} of {Word(7 * i)}.";
        string Text(int i) => string.Join(' ', Enumerable.Range(0, 1 + (i % 7 * 2)).Select(s => Sentence((i * 31) + s)));
        return _folder.Write("corpus.jsonl", string.Concat(Enumerable.Range(0, documents).Select(i => $"{{\"id\": {i}, \"text\": \"{Text(i % 7 == 0 && i > 3 ? i - 3 : i)}\"}}\n")));
    }

    private static string Word(int i) => string.Concat(new[] { "ba", "ke", "lo", "mi", "nu", "sta" }[i % 6], new[] { "lop", "mer", "tin", "gos", "ran" }[i / 6 % 5]);

    private (CleaningReport Report, string[] Lines) Run(string path, Action<CorpusCleaning, string> step, string output = "out.jsonl")
    {
        CleaningReport report = new();
        step(new CorpusCleaning([path], null, report), _folder[output]);
        return (report, File.ReadAllLines(_folder[output]));
    }
}
