using System.Text.Json.Nodes;
using Gradus.Text.Chat;
using Gradus.Text.Chat.Jinja;

namespace Gradus.Text;

/// <summary>
/// A Jinja template over variables, as lm-evaluation-harness runs the templates of its tasks: every line break is kept, what does not exist is
/// an error, and there is a filter <c>regex_replace</c>. Parsed once, rendered any number of times from any number of threads, within
/// <see cref="ChatTemplateLimits"/>. Source: the Jinja template designer documentation.
/// </summary>
public sealed class TextTemplate
{
    private readonly Block _body;

    private TextTemplate(string source, Block body) => (Source, _body) = (source, body);

    /// <summary>The template as it was given.</summary>
    public string Source { get; }

    /// <summary>Parses a template.</summary>
    /// <param name="template">The template.</param>
    /// <exception cref="ChatTemplateException">It cannot be parsed; the message has line and column.</exception>
    public static TextTemplate Parse(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return new TextTemplate(template, Parser.Parse(template, JinjaSettings.Plain).Body);
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">The variables by name.</param>
    /// <exception cref="ChatTemplateException">It uses what does not exist, fails, or passes a limit; the message has line and column.</exception>
    public string Render(IEnumerable<KeyValuePair<string, JsonNode?>> variables)
    {
        ArgumentNullException.ThrowIfNull(variables);
        RenderContext context = NewContext();
        foreach ((string name, JsonNode? value) in variables)
            context.Scope.Set(name, JsonValues.From(value));
        context.Scope = new Scope(context.Scope);
        _body.Execute(context);
        return context.Output.ToString();
    }

    internal static RenderContext NewContext()
    {
        RenderContext context = new(ChatTemplateLimits.Default, TimeProvider.System, tracing: false, JinjaSettings.Plain);
        Globals.AddTo(context.Scope);
        return context;
    }
}
