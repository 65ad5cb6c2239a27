using Gradus.Files;
using Gradus.Testing;
using Gradus.Tests.Files;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>Tokenizers of every format written into GGUF metadata and read back: the same ids.</summary>
public sealed class GgufVocabularyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Tokenizers() => [.. new[] { SharedFolder.Find("golden", "tokenizers"), SharedFolder.Find("data", "tokenizers") }
        .OfType<string>()
        .SelectMany(f => Directory.EnumerateFiles(f, "*", SearchOption.AllDirectories))
        .Where(f => Path.GetExtension(f) is ".gguf" or ".model" or ".tiktoken" || f.EndsWith(".tiktoken.gz", StringComparison.Ordinal) || Path.GetFileName(f) is "tokenizer.json" or "vocab.txt" or "merges.txt")
        .Select(f => Path.GetRelativePath(SharedFolder.Root!, f))
        .Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Dispose();

    [SharedTheory("golden", "tokenizers")]
    [MemberData(nameof(Tokenizers))]
    public void GivesTheSameIds(string file)
    {
        string path = Path.Combine(SharedFolder.Root!, file);
        Tokenizer tokenizer = Tokenizer.Load(Path.GetFileName(path) == "merges.txt" ? Path.GetDirectoryName(path)! : path);
        if (IsWithoutForm(tokenizer))
        {
            Assert.Throws<NotSupportedException>(() => GgufVocabulary.Write(tokenizer, tokenizer.VocabularySize));
            return;
        }
        Gradus.Files.GgufMetadata metadata = new();
        metadata.Set("general.architecture", "llama");
        foreach ((string key, object value) in GgufVocabulary.Write(tokenizer, tokenizer.VocabularySize + 3))
            metadata.Set(key, value);
        AtomicFile.Write(_folder["t.gguf"], stream => new GgufWriter(stream, metadata, [], leaveOpen: true).Complete());
        Tokenizer read = Tokenizer.Load(_folder["t.gguf"]);
        Assert.Equal(tokenizer.VocabularySize + 3, read.VocabularySize);
        Assert.Equal((tokenizer.BosId, tokenizer.EosId, tokenizer.UnknownId), (read.BosId, read.EosId, read.UnknownId));
        // A real file here puts other ids around a text than those of the tokens that it names.
        bool around = tokenizer.Parts.PostProcessor?.Single.All(p => p.Slot != TemplateSlot.Special || p.Ids.SequenceEqual([tokenizer.TokenToId(p.Name) ?? -1])) ?? true;
        foreach (string text in Texts())
        {
            Assert.True(tokenizer.Encode(text, addSpecialTokens: false).AsSpan().SequenceEqual(read.Encode(text, addSpecialTokens: false)), $"{file}: {text}");
            if (around)
                Assert.True(tokenizer.Encode(text).AsSpan().SequenceEqual(read.Encode(text)), $"{file}, special tokens: {text}");
        }
    }

    // Words as tokens, and spaces at the end of words: llama.cpp knows neither.
    private static bool IsWithoutForm(Tokenizer tokenizer) => tokenizer.Parts.Model is SentencePieceWords || tokenizer.Parts.Normalizer is SentencePieceNormalizer { IsSuffix: true };

    private static IEnumerable<string> Texts() => Directory.GetFiles(SharedFolder.Find("golden", "tokenizers", "llamacpp_vocab")!, "*.inp")
        .SelectMany(f => File.ReadAllText(f).Split("\n__ggml_vocab_test__\n"))
        .Append("The quick brown fox, 123 times; don't!  \t\n Ünïcödé 你好 <0x41>");
}
