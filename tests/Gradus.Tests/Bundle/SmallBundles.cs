using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tests.Files;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Tests.Bundle;

/// <summary>Folders of small models of every kind, with a tokenizer of characters.</summary>
internal static class SmallBundles
{
    public const int Context = 64;

    /// <summary>Characters, and a template whose turns end with a token of their own.</summary>
    public static Tokenizer Tokenizer(bool chat = true)
    {
        Tokenizer tokenizer = CharacterTokenizer.Train("\n !,.?abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
        return chat ? new Tokenizer(tokenizer.Parts with { ChatTemplate = ChatTemplate.ChatMl }) : tokenizer;
    }

    public static ModelConfig Llama => new LlamaConfig(HiddenSize: 24, IntermediateSize: 32, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: Context, InitializerRange: 0.3f);

    public static ModelConfig T5 => new T5Config(DModel: 24, DKv: 6, DFf: 32, NumLayers: 1, NumHeads: 4);

    public static ModelConfig Bert => new BertConfig(HiddenSize: 24, NumHiddenLayers: 1, NumAttentionHeads: 3, IntermediateSize: 32, MaxPositionEmbeddings: Context, InitializerRange: 0.3f)
    {
        Architecture = "BertModel",
    };

    /// <summary>Writes a model drawn from a seed with its tokenizer.</summary>
    public static string Write(TemporaryFolder folder, string name, ModelConfig config, bool chat = true)
    {
        using LanguageModel model = Checkpoint.Create(config.WithVocabulary(Tokenizer().VocabularySize), 5, ReferenceDevice.Instance);
        using AtomicFolder written = AtomicFolder.Begin(folder[name]);
        Checkpoint.Write(written, model);
        Tokenizer(chat).Save(written.TemporaryPath);
        written.Commit();
        return folder[name];
    }

    /// <summary>Writes an adapter of a model, with values that show.</summary>
    public static string WriteAdapter(TemporaryFolder folder, string name, string model, string? baseName)
    {
        using LanguageModel loaded = Checkpoint.Load(model, ReferenceDevice.Instance);
        using ModelAdapter adapter = ModelAdapter.Attach(loaded, new LoraConfig(R: 2, LoraAlpha: 200, BaseModelNameOrPath: baseName), 3);
        foreach (Parameter parameter in adapter.Parameters)
            parameter.Value.Span().Fill(0.1f);
        PeftFolder.Save(folder[name], adapter);
        return folder[name];
    }
}
