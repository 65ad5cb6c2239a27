// Tokenizer speed: MB of UTF-8 a second, one thread and all, and the time to load. The data is the shared folder's; a check of the
// round trip comes before every timing. Call Run(sharedFolder, print) from the bench program.

using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using Gradus.Text;

namespace Gradus.Bench;

internal static class TokenizersBench
{
    private const int MinimumBytes = 8_000_000;
    private static readonly Dictionary<string, string> PeerEncodings = new() { ["GPT-2"] = "gpt2", ["cl100k"] = "cl100k_base", ["o200k"] = "o200k_base" };

    public static void Run(string shared, Action<string> print)
    {
        string data = Path.Combine(shared, "data");
        string prose = Repeat(ReadAll(Path.Combine(data, "gutenberg-books")));
        string code = Repeat(ReadAll(Path.Combine(data, "humaneval")) + ReadAll(Path.Combine(data, "mbpp")) + File.ReadAllText(Path.Combine(data, "tokenizers", "tiktoken-expected", "lib.rs.txt")));
        string multilingual = Repeat(ReadAll(Path.Combine(data, "multilingual-text")));
        (string Name, string Text)[] texts = [("prose", prose), ("code", code), ("multilingual", multilingual)];
        string tokenizers = Path.Combine(data, "tokenizers");
        (string Name, Func<Tokenizer> Load)[] all =
        [
            ("GPT-2", () => Gpt2Files.Load(Path.Combine(tokenizers, "gpt2", "encoder.json"), Path.Combine(tokenizers, "gpt2", "vocab.bpe"))),
            ("cl100k", () => Tokenizer.Load(Path.Combine(tokenizers, "tiktoken", "cl100k_base.tiktoken"))),
            ("o200k", () => Tokenizer.Load(Path.Combine(tokenizers, "tiktoken", "o200k_base.tiktoken.gz"))),
            ("Phi-3 (SentencePiece BPE)", () => Tokenizer.Load(Path.Combine(tokenizers, "phi3"))),
            ("BGE (WordPiece)", () => Tokenizer.Load(Path.Combine(tokenizers, "gguf-vocab", "ggml-vocab-bert-bge.gguf"))),
            ("T5 (unigram)", () => Tokenizer.Load(Path.Combine(tokenizers, "sentencepiece", "t5-spiece.model"))),
        ];
        foreach ((string name, Func<Tokenizer> load) in all)
        {
            Stopwatch watch = Stopwatch.StartNew();
            Tokenizer tokenizer = load();
            double first = watch.Elapsed.TotalMilliseconds;
            watch.Restart();
            load();
            print($"{name}: load {first:0} ms cold, {watch.Elapsed.TotalMilliseconds:0} ms warm");
            foreach ((string kind, string text) in texts)
            {
                List<string> documents = Documents(text);
                double speed = Measure(kind, tokenizer, documents, print);
                if (PeerEncodings.TryGetValue(name, out string? encoding))
                    ComparePeers(encoding, documents, speed, print);
            }
        }
        ColdLoadBench.Run(shared, print);
        CompareSentencePiece(prose, print);
        MeasureLoad(all[1].Load(), print);
        MeasureTraining(prose, print);
        MeasurePathological(all[0].Load(), all[3].Load(), print);
    }

    // Documents of a few kilobytes, as training data has them.
    private static List<string> Documents(string text)
    {
        List<string> documents = [];
        for (int at = 0; at < text.Length;)
        {
            int end = Math.Min(text.Length, at + 4096);
            end = end == text.Length ? end : text.IndexOf('\n', end) is var n and >= 0 ? n + 1 : text.Length;
            documents.Add(text[at..end]);
            at = end;
        }
        return documents;
    }

    private static double Measure(string kind, Tokenizer tokenizer, List<string> documents, Action<string> print)
    {
        double bytes = documents.Sum(d => (double)System.Text.Encoding.UTF8.GetByteCount(d));
        long tokens = 0;
        double one = Best(() =>
        {
            tokens = 0;
            System.Buffers.ArrayBufferWriter<int> ids = new(1 << 16);
            foreach (string document in documents)
            {
                ids.ResetWrittenCount();
                tokenizer.Encode(document, ids, addSpecialTokens: false);
                tokens += ids.WrittenCount;
            }
        });
        double allThreads = Best(() => tokenizer.EncodeBatch(documents, addSpecialTokens: false));
        print($"  {kind}: {bytes / one / 1e6:0.0} MB/s one thread, {bytes / allThreads / 1e6:0.0} MB/s {Environment.ProcessorCount} threads, {bytes / tokens:0.00} bytes/token");
        return bytes / one / 1e6;
    }

    private static void ComparePeers(string encoding, List<string> documents, double speed, Action<string> print) => WithTemporary(documents, file =>
    {
        foreach ((string peer, double[] figures) in Peers.Run("tokenizers.mjs", print, file, encoding))
            print($"    {peer}: {figures[0]:0.0} MB/s; ours is {speed / figures[0]:0.0} times that");
    });

    private static void CompareSentencePiece(string text, Action<string> print) => WithTemporary(Documents(text), file =>
    {
        string corpus = file + ".txt";
        File.WriteAllText(corpus, text);
        try
        {
            IReadOnlyDictionary<string, double[]> peer = Peers.Run("sentencepiece_bpe.py", print, corpus, file, file);
            if (peer.Count < 2)
                return;
            double bytes = new FileInfo(corpus).Length, training = bytes / Best(() => ByteLevelBpeTrainer.Train(Corpus.FromFiles(corpus), new ByteLevelBpeOptions(8192))) / 1e6;
            print($"BPE training, 8,192 tokens: {training:0.0} MB/s; SentencePiece {peer["train"][0]:0.00} MB/s; ours is {training / peer["train"][0]:0.0} times that");
            print("SentencePiece BPE of 8,192 tokens:");
            double speed = Measure("prose", Tokenizer.Load(file + ".model"), Documents(text), print);
            print($"    SentencePiece: {peer["encode"][0]:0.0} MB/s; ours is {speed / peer["encode"][0]:0.0} times that");
        }
        finally
        {
            foreach (string extra in new[] { ".txt", ".model", ".vocab" })
                File.Delete(file + extra);
        }
    });

    private static void WithTemporary(List<string> documents, Action<string> use)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllLines(file, documents.Select(d => $"\"{JsonEncodedText.Encode(d)}\""));
            use(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static void MeasureLoad(Tokenizer cl100k, Action<string> print)
    {
        byte[] json = TokenizerJson.Write(cl100k);
        Stopwatch watch = Stopwatch.StartNew();
        TokenizerJson.Parse(json);
        print($"tokenizer.json of {cl100k.VocabularySize} tokens, {json.Length / 1e6:0.0} MB: {watch.ElapsedMilliseconds} ms first, {Best(() => TokenizerJson.Parse(json)) * 1e3:0} ms best");
    }

    private static void MeasureTraining(string text, Action<string> print)
    {
        double bytes = System.Text.Encoding.UTF8.GetByteCount(text);
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            double seconds = Best(() => ByteLevelBpeTrainer.Train(Corpus.FromFiles(path), new ByteLevelBpeOptions(8192)));
            print($"BPE training, 8,192 tokens, {bytes / 1e6:0.0} MB: {seconds:0.00} s, {bytes / seconds / 1e6:0.0} MB/s");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void MeasurePathological(Tokenizer gpt2, Tokenizer phi3, Action<string> print)
    {
        string letters = new('a', 10_000_000);
        foreach ((string name, Tokenizer tokenizer) in new[] { ("GPT-2", gpt2), ("Phi-3", phi3) })
        {
            Stopwatch watch = Stopwatch.StartNew();
            int count = tokenizer.CountTokens(letters);
            print($"10 MB of one letter, {name}: {watch.Elapsed.TotalSeconds:0.0} s, {count} tokens");
        }
    }

    private static double Best(Action action)
    {
        double best = double.PositiveInfinity;
        for (int i = 0; i < 3; i++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            action();
            best = Math.Min(best, watch.Elapsed.TotalSeconds);
        }
        return best;
    }

    private static string Repeat(string text)
    {
        int times = (int)Math.Max(1, MinimumBytes / Math.Max(1, text.Length));
        return string.Concat(Enumerable.Repeat(text, times));
    }

    private static string ReadAll(string folder)
    {
        System.Text.StringBuilder all = new();
        foreach (string path in Directory.GetFiles(folder).Order(StringComparer.Ordinal))
        {
            if (Path.GetFileName(path) == "README.md")
                continue;
            using Stream file = File.OpenRead(path);
            using Stream plain = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
            using StreamReader reader = new(plain);
            all.Append(reader.ReadToEnd());
        }
        return all.ToString();
    }
}
