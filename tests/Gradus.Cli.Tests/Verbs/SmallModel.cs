using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;

using Gradus.Text;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>A folder for one test class, with small models in it that were drawn from a seed.</summary>
public sealed class SmallModel : IDisposable
{
    /// <summary>The longest sequence of the models, in tokens.</summary>
    public const int Context = 96;

    /// <summary>The text that the character tokenizer knows.</summary>
    public const string Alphabet = "\n !,.?abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gradus-verbs-");

    public SmallModel()
    {
        using DecoderModel llama = Create(1);
        Write(Llama, llama, Tokenizer());
        using LanguageModel gpt2 = Checkpoint.Create(
            new Gpt2Config(VocabSize: Tokenizer().VocabularySize, NPositions: Context, NEmbd: 16, NLayer: 1, NHead: 2), 2, ReferenceDevice.Instance);
        Write(Gpt2, gpt2, Tokenizer());
        using ModelAdapter adapter = ModelAdapter.Attach(llama, new LoraConfig(R: 2, LoraAlpha: 400, BaseModelNameOrPath: "../llama"), 3);
        foreach (Parameter parameter in adapter.Parameters)
            Fill(parameter.Value.Span(), parameter.Name);
        PeftFolder.Save(this["adapter"], adapter);
    }

    /// <summary>A Llama with a chat template.</summary>
    public string Llama => this["llama"];

    /// <summary>A GPT-2.</summary>
    public string Gpt2 => this["gpt2"];

    /// <summary>An adapter on the Llama.</summary>
    public string Adapter => this["adapter"];

    /// <summary>The path of a name in the folder.</summary>
    public string this[string name] => Path.Combine(_folder.FullName, name);

    /// <summary>A copy of the Llama to break.</summary>
    public string Copy(string name)
    {
        Directory.CreateDirectory(this[name]);
        foreach (string file in Directory.GetFiles(Llama))
            File.Copy(file, Path.Combine(this[name], Path.GetFileName(file)), overwrite: true);
        return this[name];
    }

    /// <summary>Writes a file into the folder.</summary>
    public string WriteFile(string name, byte[] content)
    {
        File.WriteAllBytes(this[name], content);
        return this[name];
    }

    /// <summary>Writes a file of text into the folder.</summary>
    public string WriteFile(string name, string content) => WriteFile(name, System.Text.Encoding.UTF8.GetBytes(content));

    /// <summary>A run's folder with a checkpoint per step.</summary>
    public string Run(string name, params int[] steps)
    {
        foreach (int step in steps)
        {
            using DecoderModel model = Create((ulong)step);
            Write(Path.Combine(this[name], "checkpoints", $"step-{step}"), model, Tokenizer());
        }
        return this[name];
    }

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>A tokenizer of characters with a chat template.</summary>
    public static Tokenizer Tokenizer(string more = "")
    {
        Tokenizer tokenizer = CharacterTokenizer.Train(Alphabet + more, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
        return new Tokenizer(tokenizer.Parts with { ChatTemplate = Gradus.Text.Chat.ChatTemplate.ChatMl });
    }

    private static DecoderModel Create(ulong seed) => (DecoderModel)Checkpoint.Create(
        new LlamaConfig(
            VocabSize: Tokenizer().VocabularySize, HiddenSize: 16, IntermediateSize: 24, NumHiddenLayers: 2, NumAttentionHeads: 2,
            MaxPositionEmbeddings: Context, InitializerRange: 0.4f, EosTokenId: 0),
        seed,
        ReferenceDevice.Instance);

    /// <summary>Writes a model that was drawn from a seed into the folder, with the tokenizer, which knows more characters where they are given.</summary>
    public string WriteModel(string name, ModelConfig config, string more = "")
    {
        using LanguageModel model = Checkpoint.Create(config.WithVocabulary(Tokenizer(more).VocabularySize), 4, ReferenceDevice.Instance);
        Write(this[name], model, Tokenizer(more));
        return this[name];
    }

    private static void Write(string path, LanguageModel model, Tokenizer tokenizer)
    {
        using AtomicFolder folder = AtomicFolder.Begin(path);
        Checkpoint.Write(folder, model);
        tokenizer.Save(folder.TemporaryPath);
        folder.Commit();
    }

    private static void Fill(Span<float> values, string name)
    {
        ulong key = CounterRandom.Derive(5, name);
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)CounterRandom.Uniform(key, i) - 0.5f;
    }
}
