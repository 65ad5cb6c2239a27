using Gradus.Adapters;
using Gradus.Models;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Cli.Verbs;

/// <summary>A model with the tokenizer it was trained with.</summary>
/// <param name="model">The model; disposed with this.</param>
/// <param name="adapter">The adapter on it, or null; disposed with this.</param>
/// <param name="tokenizer">The tokenizer; it fits the model.</param>
/// <param name="place">The folders that were loaded.</param>
/// <param name="endIds">The ids that end a text or an answer.</param>
internal sealed class LoadedModel(GenerativeModel model, ModelAdapter? adapter, Tokenizer tokenizer, ModelPlace place, IReadOnlyList<int> endIds) : IDisposable
{
    private readonly Lazy<ChatTemplate?> _template = new(() => ParseTemplate(tokenizer, place.Adapter ?? place.Folder));

    /// <summary>The model.</summary>
    public GenerativeModel Model => model;

    /// <summary>The adapter on the model, or null.</summary>
    public ModelAdapter? Adapter => adapter;

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer => tokenizer;

    /// <summary>The chat template, or null where the model has none; parsed when first asked for.</summary>
    /// <exception cref="InvalidDataException">The template cannot be parsed.</exception>
    public ChatTemplate? Template => _template.Value;

    /// <summary>The folders that were loaded: for a run, its checkpoint.</summary>
    public ModelPlace Place => place;

    /// <summary>The folder of the model, without its adapter.</summary>
    public string Folder => place.Folder;

    /// <summary>The ids that end a text or an answer, sorted.</summary>
    public IReadOnlyList<int> EndIds => endIds;

    /// <summary>Frees the model.</summary>
    public void Dispose()
    {
        adapter?.Dispose();
        model.Dispose();
    }

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
