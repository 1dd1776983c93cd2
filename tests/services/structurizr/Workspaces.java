import com.structurizr.Workspace;
import com.structurizr.dsl.StructurizrDslParser;
import com.structurizr.dsl.StructurizrDslParserException;
import com.structurizr.export.mermaid.MermaidDiagramExporter;
import com.structurizr.model.Element;
import com.structurizr.model.Relationship;
import com.structurizr.view.ModelView;
import com.structurizr.view.View;
import java.io.File;
import java.nio.charset.StandardCharsets;

/**
 * Parses workspaces in Structurizr's own DSL, as its tools do, and says of each what it holds, a line for each thing, its
 * parts parted by tabulators. What is refused is said with line and reason, and the exit code is 1.
 */
public class Workspaces {
  public static void main(String[] files) throws Exception {
    StringBuilder out = new StringBuilder();
    int refused = 0;
    for (String file : files) {
      try {
        StructurizrDslParser parser = new StructurizrDslParser();
        parser.parse(new File(file));
        Workspace workspace = parser.getWorkspace();
        workspace.trim();
        line(out, "workspace", file);
        for (Element it : workspace.getModel().getElements()) {
          line(out, "element", it.getClass().getSimpleName(), it.getName(), it.getTags(), String.valueOf(it.getDescription()));
        }
        for (Relationship it : workspace.getModel().getRelationships()) {
          line(out, "relationship", it.getSource().getName(), it.getDestination().getName(),
              String.valueOf(it.getDescription()), it.getTags());
        }
        for (View view : workspace.getViews().getViews()) {
          int elements = view instanceof ModelView ? ((ModelView) view).getElements().size() : 0;
          line(out, "view", view.getKey(), String.valueOf(elements));
        }
        // its own exporters take every view, which shows that each can be drawn
        new MermaidDiagramExporter().export(workspace).forEach(it -> line(out, "drawn", it.getKey()));
      } catch (StructurizrDslParserException error) {
        refused++;
        line(out, "refused", file, error.getMessage());
      }
    }
    System.out.write(out.toString().getBytes(StandardCharsets.UTF_8));
    System.out.flush();
    System.exit(refused == 0 ? 0 : 1);
  }

  private static void line(StringBuilder out, String... parts) {
    for (int at = 0; at < parts.length; at++) {
      out.append(at == 0 ? "" : "\t").append(parts[at].replace('\t', ' ').replace('\n', ' ').replace('\r', ' '));
    }
    out.append('\n');
  }
}
