namespace Gradus.Text.Chat.Jinja;

/// <summary>A place in a template: line and column, both from 1.</summary>
internal readonly record struct Position(int Line, int Column)
{
    public ChatTemplateException Error(string reason) => new(reason, Line, Column);
}
