using Gradus.Models;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Cli.Verbs;

/// <summary>A model with the tokenizer it was trained with.</summary>
/// <param name="model">The model; disposed with this.</param>
/// <param name="tokenizer">The tokenizer; it fits the model.</param>
/// <param name="folder">The folder that was loaded.</param>
/// <param name="endIds">The ids that end a text or an answer.</param>
internal sealed class LoadedModel(DecoderModel model, Tokenizer tokenizer, string folder, IReadOnlyList<int> endIds) : IDisposable
{
    private readonly Lazy<ChatTemplate?> _template = new(() => ParseTemplate(tokenizer, folder));

    /// <summary>The model.</summary>
    public DecoderModel Model => model;

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer => tokenizer;

    /// <summary>The chat template, or null where the model has none; parsed when first asked for.</summary>
    /// <exception cref="InvalidDataException">The template cannot be parsed.</exception>
    public ChatTemplate? Template => _template.Value;

    /// <summary>The folder that was loaded: for a run, its checkpoint.</summary>
    public string Folder => folder;

    /// <summary>The ids that end a text or an answer, sorted.</summary>
    public IReadOnlyList<int> EndIds => endIds;

    /// <summary>Frees the model.</summary>
    public void Dispose() => model.Dispose();

    private static ChatTemplate? ParseTemplate(Tokenizer tokenizer, string folder)
    {
        if (tokenizer.Parts.ChatTemplate is not { } source)
            return null;
        try
        {
            return ChatTemplate.Parse(source);
        }
        catch (ChatTemplateException e)
        {
            throw new InvalidDataException($"{folder}: {e.Message}", e);
        }
    }
}
