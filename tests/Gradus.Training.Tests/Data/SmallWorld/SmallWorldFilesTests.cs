using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gradus.Training.Data.SmallWorld;

namespace Gradus.Training.Tests.Data.SmallWorld;

public sealed class SmallWorldFilesTests : IDisposable
{
    private static readonly SmallWorldSizes Small = new(new(40, 8, 8), new(15, 5, 5), new(20, 5, 5), new(20, 5, 5));

    private readonly string _folder = Directory.CreateTempSubdirectory("gradus-small-world").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void SameSeedGivesTheSameBytesEvenInterleaved()
    {
        static string[] Sample(SmallWorldGenerator g) =>
            [.. g.Stories(Split.Train, 30), .. g.Dialogues(Split.Test, 30).Select(d => d.Dialogue + d.Summary), .. g.Instructions(Split.Validation, 30).Select(e => e.ToString()),
            .. g.Conversations(Split.Test, 30).SelectMany(c => c).Select(m => m.Role + m.Text)];
        static string Hash(IEnumerable<string> texts) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', texts))));

        string expected = Hash(Sample(new SmallWorldGenerator(7)));
        Assert.Equal(expected, Hash(Sample(new SmallWorldGenerator(7))));
        Assert.NotEqual(expected, Hash(Sample(new SmallWorldGenerator(8))));

        SmallWorldGenerator first = new(7), second = new(7);
        using IEnumerator<string> a = first.Stories(Split.Train, 30).GetEnumerator();
        using IEnumerator<DialogueSummary> other = first.Dialogues(Split.Train, 30).GetEnumerator();
        using IEnumerator<string> b = second.Stories(Split.Train, 90).GetEnumerator();
        for (int i = 0; i < 30; i++)
        {
            Assert.True(a.MoveNext() && other.MoveNext() && b.MoveNext());
            Assert.Equal(a.Current, b.Current);
        }
        Assert.False(a.MoveNext());
    }

    [Fact]
    public void FilesHoldTheRecordsAndAreWrittenAlike()
    {
        string one = Path.Combine(_folder, "one"), two = Path.Combine(_folder, "two");
        SmallWorldFiles.Write(one, 7, Small);
        SmallWorldFiles.Write(two, 7, Small);
        string[] names = [.. Directory.GetFiles(one).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];
        Assert.Equal(16, names.Length);
        Assert.All(names, name => Assert.Equal(File.ReadAllBytes(Path.Combine(one, name)), File.ReadAllBytes(Path.Combine(two, name))));

        var generator = new SmallWorldGenerator(7);
        Assert.Equal(generator.Stories(Split.Train, 40), Read(one, "stories.train", "text"));
        Assert.Equal(generator.Dialogues(Split.Test, 5).Select(d => d.Summary), Read(one, "dialogues.test", "summary"));
        Assert.Equal(generator.Dialogues(Split.Test, 5).Select(d => d.Dialogue), Read(one, "dialogues.test", "dialogue"));
        Assert.Equal(generator.Instructions(Split.Validation, 5).Select(e => e.Output), Read(one, "instructions.validation", "output"));
        Assert.Equal(
            generator.Stories(Split.Train, 40).Concat(generator.Dialogues(Split.Train, 15).Select(d => d.Dialogue)).Order(StringComparer.Ordinal),
            Read(one, "pretrain.train", "text").Order(StringComparer.Ordinal));
        Assert.Contains("MIT", File.ReadAllText(Path.Combine(one, "README.md")));
    }

    [Fact]
    public void PretrainingMixesStoriesAndDialoguesEvenly()
    {
        SmallWorldFiles.Write(_folder, 7, Small);
        string[] texts = [.. Read(_folder, "pretrain.train", "text")];
        Assert.InRange(texts[..28].Count(t => t.Contains('\n')), 7, 9);
        Assert.InRange(texts[^11..].Count(t => t.Contains('\n')), 2, 4);
    }

    [Fact]
    public void EmptyPartsAreEmptyFilesAndNegativeSizesAreRefused()
    {
        SmallWorldFiles.Write(_folder, 7, new(new(0, 0, 0), new(3, 0, 0), new(0, 0, 0), new(0, 0, 0)));
        Assert.Equal(0, new FileInfo(Path.Combine(_folder, "stories.train.jsonl")).Length);
        Assert.Equal(3, Read(_folder, "pretrain.train", "text").Count());
        Assert.Throws<ArgumentOutOfRangeException>(() => new SmallWorldGenerator(1).Stories(Split.Train, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SmallWorldGenerator(1).Dialogues(Split.Train, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SmallWorldGenerator(1).Instructions(Split.Train, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SmallWorldGenerator(1).Conversations(Split.Train, -1));
    }

    private static IEnumerable<string> Read(string folder, string file, string field)
    {
        string text = File.ReadAllText(Path.Combine(folder, file + ".jsonl"));
        Assert.DoesNotContain('\r', text);
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument record = JsonDocument.Parse(line);
            yield return record.RootElement.GetProperty(field).GetString()!;
        }
    }
}
