// Tokenizer speed: MB of UTF-8 a second over the kinds of text, one thread and all, beside the peers that are installed; the time to load
// and to train. Peers' token counts are compared with ours, so that the same work is timed.

using System.Diagnostics;
using System.Text.Json;
using Gradus.Text;

namespace Gradus.Bench;

internal static class TokenizersBench
{
    /// <summary>What the issue of the tokenizers asks for: so many times the fastest peer, per thread and in training.</summary>
    private const double EncodingGoal = 2, TrainingGoal = 10;

    /// <summary>A vocabulary, the least MB/s asked of it on one thread (0 for none), and its peers: a script and its arguments after the documents.</summary>
    private sealed record Subject(string Name, Func<Tokenizer> Load, double Floor, params (string Script, string Argument)[] Peers);

    public static void Run(string shared, Action<string> print)
    {
        string data = Path.Combine(shared, "data");
        IReadOnlyList<(string Kind, List<string> Documents)> texts = TokenizerTexts.Load(data);
        string folder = Directory.CreateTempSubdirectory("gradus-bench").FullName;
        try
        {
            foreach (Subject subject in Subjects(Path.Combine(data, "tokenizers"), folder))
                Measure(subject, texts, folder, print);
            Train(string.Concat(texts[0].Documents), texts, folder, print);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        Tokenizer cl100k = Tokenizer.Load(Path.Combine(data, "tokenizers", "tiktoken", "cl100k_base.tiktoken"));
        ColdLoadBench.Run(shared, print);
        MeasurePathological([("cl100k", cl100k), ("Llama 2", Tokenizer.Load(Path.Combine(data, "tokenizers", "phi3")))], print);
    }

    private static Subject[] Subjects(string tokenizers, string folder)
    {
        string bert = Path.Combine(folder, "bert.json");
        string t5 = Path.Combine(tokenizers, "sentencepiece", "t5-spiece.model");
        string llama = Path.Combine(tokenizers, "phi3");
        return
        [
            new("GPT-2", () => Gpt2Files.Load(Path.Combine(tokenizers, "gpt2", "encoder.json"), Path.Combine(tokenizers, "gpt2", "vocab.bpe")), 40, ("tokenizers.mjs", "gpt2")),
            new("cl100k", () => Tokenizer.Load(Path.Combine(tokenizers, "tiktoken", "cl100k_base.tiktoken")), 40, ("tokenizers.mjs", "cl100k_base")),
            new("o200k", () => Tokenizer.Load(Path.Combine(tokenizers, "tiktoken", "o200k_base.tiktoken.gz")), 0, ("tokenizers.mjs", "o200k_base")),
            new("Llama 2 (SentencePiece BPE)", () => Tokenizer.Load(llama), 20, ("huggingface.mjs", Path.Combine(llama, "tokenizer.json"))),
            new("BERT (WordPiece)", () => LoadBert(Path.Combine(tokenizers, "gguf-vocab", "ggml-vocab-bert-bge.gguf"), bert), 0, ("huggingface.mjs", bert)),
            new("T5 (unigram)", () => Tokenizer.Load(t5), 0, ("sentencepiece_encode.py", t5)),
        ];
    }

    /// <summary>Loads BERT's vocabulary, and writes it for the peer.</summary>
    private static Tokenizer LoadBert(string gguf, string json)
    {
        Tokenizer tokenizer = Tokenizer.Load(gguf);
        File.WriteAllBytes(json, TokenizerJson.Write(tokenizer));
        return tokenizer;
    }

    private static void Measure(Subject subject, IReadOnlyList<(string Kind, List<string> Documents)> texts, string folder, Action<string> print)
    {
        Stopwatch watch = Stopwatch.StartNew();
        Tokenizer tokenizer = subject.Load();
        print($"{subject.Name}: loaded in {watch.ElapsedMilliseconds} ms");
        foreach ((string kind, List<string> documents) in texts)
        {
            double bytes = TokenizerTexts.Bytes(documents);
            long tokens = 0;
            double one = bytes / 1e6 / Best(() => tokens = EncodeAll(tokenizer, documents));
            double batch = bytes / 1e6 / Best(() => tokenizer.EncodeBatch(documents, addSpecialTokens: false, maxThreads: 1));
            double all = bytes / 1e6 / Best(() => tokenizer.EncodeBatch(documents, addSpecialTokens: false));
            string floor = subject.Floor > 0 ? $" (goal {subject.Floor:0})" : "";
            print($"  {kind}: {one:0.0} MB/s on one thread{floor}, a batch {all:0.0} MB/s on {Environment.ProcessorCount}, {all / batch:0.00} times its speed on one, {bytes / tokens:0.00} bytes a token");
            Compare(subject, documents, folder, one, tokens, print);
        }
    }

    private static long EncodeAll(Tokenizer tokenizer, List<string> documents)
    {
        long tokens = 0;
        System.Buffers.ArrayBufferWriter<int> ids = new(1 << 16);
        foreach (string document in documents)
        {
            ids.ResetWrittenCount();
            tokenizer.Encode(document, ids, addSpecialTokens: false);
            tokens += ids.WrittenCount;
        }
        return tokens;
    }

    private static void Compare(Subject subject, List<string> documents, string folder, double speed, long tokens, Action<string> print)
    {
        string file = Path.Combine(folder, "documents.jsonl");
        File.WriteAllLines(file, documents.Select(d => $"\"{JsonEncodedText.Encode(d)}\""));
        foreach ((string script, string argument) in subject.Peers)
        {
            foreach ((string peer, double[] figures) in Peers.Run(script, print, file, argument))
            {
                string difference = figures[1] == tokens ? "" : $"; it makes {figures[1]:0} tokens, ours {tokens}";
                print($"    {peer}: {figures[0]:0.0} MB/s; ours is {speed / figures[0]:0.0} times that (goal {EncodingGoal:0}){difference}");
            }
        }
    }

    /// <summary>Trains 8,192 tokens of BPE beside SentencePiece, and encodes with the vocabulary that SentencePiece made.</summary>
    private static void Train(string text, IReadOnlyList<(string Kind, List<string> Documents)> texts, string folder, Action<string> print)
    {
        string corpus = Path.Combine(folder, "corpus.txt");
        string model = Path.Combine(folder, "sentencepiece");
        File.WriteAllText(corpus, text);
        double size = new FileInfo(corpus).Length / 1e6;
        double all = size / Best(() => ByteLevelBpeTrainer.Train(Corpus.FromFiles(corpus), new ByteLevelBpeOptions(8192)));
        double one = size / Best(() => ByteLevelBpeTrainer.Train(Corpus.FromFiles(corpus), new ByteLevelBpeOptions(8192, MaxThreads: 1)));
        print($"BPE training, 8,192 tokens, {size:0.0} MB of prose: {all:0.0} MB/s, on one thread {one:0.0}");
        if (!Peers.Run("sentencepiece_train.py", print, corpus, model).TryGetValue("train", out double[]? peer))
            return;
        print($"    SentencePiece: {peer[0]:0.00} MB/s; ours is {all / peer[0]:0.0} times that (goal {TrainingGoal:0})");
        Subject trained = new("SentencePiece BPE of 8,192 tokens", () => Tokenizer.Load(model + ".model"), 20, ("sentencepiece_encode.py", model + ".model"));
        Measure(trained, texts, folder, print);
    }

    private static void MeasurePathological((string Name, Tokenizer Tokenizer)[] tokenizers, Action<string> print)
    {
        Random random = new(1);
        (string, string)[] texts =
        [
            ("10 MB of one letter", new string('a', 10_000_000)),
            ("10 MB of one ideograph", new string('東', 3_333_333)),
            ("1 MB of ideographs at random", string.Concat(Enumerable.Range(0, 333_333).Select(_ => (char)random.Next(0x4E00, 0x9F00)))),
        ];
        foreach ((string name, Tokenizer tokenizer) in tokenizers)
        {
            foreach ((string what, string text) in texts)
            {
                Stopwatch watch = Stopwatch.StartNew();
                int count = tokenizer.CountTokens(text);
                print($"{what}, {name}: {watch.Elapsed.TotalSeconds:0.00} s, {count} tokens");
            }
        }
    }

    private static double Best(Action action)
    {
        double best = double.PositiveInfinity;
        for (int i = 0; i < 4; i++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            action();
            best = Math.Min(best, watch.Elapsed.TotalSeconds);
        }
        return best;
    }
}
