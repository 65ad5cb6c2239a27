using System.Globalization;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>Python's str() and repr() of values.</summary>
internal static class Printer
{
    /// <summary>str(value) as text that remembers the message it came from.</summary>
    public static TextValue ToText(RenderContext context, Value value) => value switch
    {
        TextValue text => text,
        UndefinedValue undefined => undefined.Lenient(TextValue.Empty),
        _ => TextValue.FromMessage(Text(context, value), value.Message),
    };

    /// <summary>str(value).</summary>
    public static string Text(RenderContext context, Value value)
    {
        switch (value)
        {
            case TextValue text:
                return text.Text;
            case UndefinedValue undefined:
                return undefined.Lenient("");
            default:
                StringBuilder target = new();
                AppendRepr(context, target, value);
                return target.ToString();
        }
    }

    public static void AppendRepr(RenderContext context, StringBuilder target, Value value)
    {
        context.Step();
        int before = target.Length;
        switch (value)
        {
            case TextValue text:
                PythonText.AppendRepr(target, text.Text);
                break;
            case IntValue integer:
                target.Append(integer.Number.ToString(CultureInfo.InvariantCulture));
                break;
            case FloatValue real:
                target.Append(PythonText.Repr(real.Number));
                break;
            case BoolValue:
                target.Append(value.IsTrue ? "True" : "False");
                break;
            case NoneValue:
                target.Append("None");
                break;
            case UndefinedValue undefined:
                target.Append(undefined.Lenient("Undefined"));
                break;
            case RangeValue range:
                target.Append(range.Text);
                break;
            case ListValue list:
                AppendElements(context, target.Append('['), list.Elements).Append(']');
                return;
            case TupleValue tuple:
                AppendElements(context, target.Append('('), tuple.Elements).Append(tuple.Elements.Length == 1 ? ",)" : ")");
                return;
            case DictValue dict:
                AppendEntries(context, target, dict);
                return;
            case DictViewValue view:
                AppendElements(context, target.Append(view.TypeName).Append("(["), view.Iterate(context)).Append("])");
                return;
            case NamespaceValue space:
                DictValue fields = new();
                foreach ((string name, Value field) in space.Fields)
                    fields.Set(context, Value.Of(name), field);
                target.Append("<Namespace ");
                AppendEntries(context, target, fields);
                target.Append('>');
                return;
            default:
                target.Append('<').Append(value.TypeName).Append(" object>");
                break;
        }
        context.ChargeCharacters(target.Length - before);
    }

    private static StringBuilder AppendElements(RenderContext context, StringBuilder target, IEnumerable<Value> elements)
    {
        bool first = true;
        foreach (Value element in elements)
        {
            if (!first)
                target.Append(", ");
            first = false;
            AppendRepr(context, target, element);
        }
        return target;
    }

    private static void AppendEntries(RenderContext context, StringBuilder target, DictValue dict)
    {
        target.Append('{');
        bool first = true;
        foreach ((Value key, Value value) in dict.Entries)
        {
            if (!first)
                target.Append(", ");
            first = false;
            AppendRepr(context, target, key);
            target.Append(": ");
            AppendRepr(context, target, value);
        }
        target.Append('}');
    }
}
