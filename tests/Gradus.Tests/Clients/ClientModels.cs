using Gradus.Bundle;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Tests.Clients;

/// <summary>Small models with random weights that can write JSON, for clients to talk with.</summary>
internal static class ClientModels
{
    public const int Context = 1024;

    /// <summary>A template without tools.</summary>
    public const string PlainTemplate = "{% for message in messages %}{{ message.role + ': ' + message.content + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";

    /// <summary>A decoder with a token for every character of ASCII that a text has.</summary>
    public static ModelBundle Llama(string? template = null)
    {
        string characters = "\n" + string.Concat(Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c));
        Tokenizer tokenizer = CharacterTokenizer.Train(characters, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
        tokenizer = new Tokenizer(tokenizer.Parts with { ChatTemplate = template ?? ChatTemplate.ChatMl });
        LlamaConfig config = new(HiddenSize: 24, IntermediateSize: 32, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: Context, InitializerRange: 0.3f);
        LanguageModel model = Checkpoint.Create(config.WithVocabulary(tokenizer.VocabularySize), 5, CpuDevice.Default);
        return new ModelBundle(model, tokenizer, new ModelLocation("small/llama"));
    }
}
